use bartizan_rbac::{Catalog, LintFinding, Policy, Rule};

fn lint(rules: impl IntoIterator<Item = Rule>, catalog: &Catalog) -> Vec<String> {
    let builder = rules
        .into_iter()
        .fold(Policy::enterprise(), |policy, rule| policy.rule(rule));
    let found = builder.build().unwrap().lint(catalog);
    found.iter().map(LintFinding::to_string).collect()
}

#[test]
fn ta_1_rules_that_match_nothing_and_names_without_a_rule_are_found() {
    let mut catalog = Catalog::default()
        .resource("file:///notes/a.md")
        .resource("file:///a/../b")
        .resource_template("file:///logs/{day}.log")
        .prompt("review");
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[
        {"name":"read_note","inputSchema":{"tools":[]}},{"name":"drop"}],"nextCursor":"x"}}"#;
    catalog.read(answer).unwrap();
    let rules = [
        Rule::tool("read_*").role("viewer"),
        Rule::tool("raed_note").role("viewer"),
        Rule::tool("read_*")
            .except("read_note")
            .role("admin")
            .named("all of it"),
        Rule::tool("d*").except("d*").deny(),
        Rule::prompt("*").except("*").identified(),
        Rule::prompt("rewiev").identified(),
        Rule::resource("file:///notes/**").identified(),
        Rule::resource("file:///logs/monday.log").identified(),
        Rule::resource("file:///logs/private/*")
            .identified()
            .named("variables may hold a slash"),
        Rule::resource("file:///other/**").identified(),
        Rule::method("task/*").identified(),
        Rule::method("tasks/*").identified(),
        Rule::stream().identified(),
    ];
    assert_eq!(
        lint(rules, &catalog),
        [
            "rule `tool:raed_note` matches nothing that the server offers",
            "rule `all of it` matches nothing that the server offers",
            "rule `tool:d*` excepts all that it speaks of",
            "rule `prompt:*` excepts all that it speaks of",
            "rule `prompt:rewiev` matches nothing that the server offers",
            "rule `resource:file:///other/**` matches nothing that the server offers",
            "rule `method:task/*` matches nothing that the server offers",
            "no rule covers tool `drop`, so nobody may use it",
            "no rule covers prompt `review`, so nobody may use it",
            "resource `file:///a/../b` has a segment of dots, so nobody may use it",
            "no rule covers resource template `file:///logs/{day}.log`, so nobody may use it",
        ]
    );
}

#[test]
fn a_rule_for_a_method_covers_all_that_it_acts_on_and_what_is_not_listed_is_not_judged() {
    let catalog = Catalog::default().tool("a").tool("b").method("acme/go");
    let rules = [
        Rule::method("tools/call").identified(),
        Rule::method("acme/*").identified(),
        Rule::prompt("p").identified(),
        Rule::resource("file:///**").identified(),
    ];
    assert_eq!(lint(rules, &catalog), [""; 0]);
}

#[test]
fn what_is_no_list_is_no_catalogue_and_leaves_what_was_there() {
    let mut catalog = Catalog::default().tool("a");
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"error":{}}"#,
        r#"{"result":{"tools":[{"title":"x"}]}}"#,
        r#"{"result":{"tools":{}}}"#,
        r#"{"result":{"tools":[{"name":"x"}],"tools":[]}}"#,
        r#"{"tools":[{"name":"x"}]} x"#,
    ] {
        let error = catalog.read(bad).unwrap_err();
        assert!(error.to_string().starts_with("the list "), "{bad}: {error}");
        assert_eq!(catalog, Catalog::default().tool("a"), "{bad}");
    }
    catalog.read(r#"{"tools":[{"name":"b"}]}"#).unwrap();
    assert_eq!(catalog, Catalog::default().tool("a").tool("b"));
}

#[test]
fn ta_12_rules_beside_hidden_ones_are_found() {
    let found = |rule: Rule| {
        let hidden = [
            Rule::tool("secret_*").identified().named("one").hidden(),
            Rule::resource("file:///s/**")
                .identified()
                .named("two")
                .hidden(),
        ];
        let found = lint(hidden.into_iter().chain([rule]), &Catalog::default());
        found
            .iter()
            .any(|found| found.ends_with("covers what others hide, and is not hidden"))
    };
    for rule in [
        Rule::tool("*"),
        Rule::tool("secret_1"),
        Rule::tool("*_1"),
        Rule::method("*"),
        Rule::method("tools/call"),
        Rule::method("resources/*"),
        Rule::resource("**"),
    ] {
        assert!(found(rule.clone().identified()), "{rule:?}");
        if !rule.name().starts_with("method:") {
            assert!(!found(rule.identified().hidden()));
        }
    }
    for rule in [
        Rule::tool("open_*"),
        Rule::prompt("*"),
        Rule::method("prompts/get"),
        Rule::method("tools/list"),
        Rule::resource("file:///o/**"),
        Rule::stream(),
    ] {
        assert!(!found(rule.clone().identified()), "{rule:?}");
    }
}

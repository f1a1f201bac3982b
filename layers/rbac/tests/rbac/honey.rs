//! Decoys: who is shown one, what a call to it is answered, and what the record says.

use std::sync::Arc;

use bartizan_core::{CredentialLimits, DenialKind, Principal, Verdict};
use bartizan_rbac::{
    Catalog, Decision, HoneyTool, LintFinding, Operation, Policy, PolicyBuilder, RbacLayer, Rule,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    common::{Caller, post, raw},
    lists::{Listed, json_list, stream_list, whole},
};

const EXPORT: &str =
    r#"{"name":"export_all","description":"Exports all notes","inputSchema":{"type":"object"}}"#;
const ZAP: &str = r#"{"name":"zap","description":"Zaps","inputSchema":{}}"#;

fn export() -> HoneyTool {
    HoneyTool::new("export_all")
        .shown_to(["developer"])
        .definition(EXPORT)
}

fn with_rules() -> PolicyBuilder {
    Policy::enterprise()
        .version("test")
        .rule(Rule::tool("read_*").role("viewer"))
        .rule(Rule::tool("list_*").role("viewer"))
}

fn policy() -> PolicyBuilder {
    let zap = HoneyTool::new("zap").shown_to(["developer"]);
    with_rules()
        .honey_tool(zap.definition(ZAP))
        .honey_tool(export())
        .honey_tool(HoneyTool::new("secret_door"))
}

fn built(policy: PolicyBuilder) -> Arc<Policy> {
    Arc::new(policy.build().unwrap())
}

fn developer() -> Caller {
    Caller::user(&["developer"], &[])
}

async fn seen(caller: &Caller, policy: &Arc<Policy>, name: &str) -> String {
    let answer = caller.tool(policy, name).await;
    format!("{} {}", answer.status(), answer.text().await)
}

#[tokio::test]
async fn ta_12_a_call_to_a_decoy_is_answered_as_one_to_a_tool_that_does_not_exist() {
    let limits = CredentialLimits::new().with_tools(["read_*"]).unwrap();
    let ann = Principal::user("https://auth.example.com", "ann").roles(["developer"]);
    let limited = Caller::of(ann.limits(limits).build("apikey"));
    let callers = [
        developer(),
        Caller::user(&["viewer"], &[]),
        Caller::user(&[], &[]),
        Caller::anonymous(),
        limited,
    ];
    for (policy, kind) in [
        // Nothing covers either: each caller is told that there is no such tool.
        (policy(), "200 OK"),
        // A rule that hides nothing covers both.
        (policy().rule(Rule::tool("*").role("admin")), "40"),
        (
            policy().rule(Rule::tool("*").role("admin").scope("a")),
            "40",
        ),
        (policy().rule(Rule::tool("*").scope("a")), "40"),
        (policy().rule(Rule::method("tools/call").identified()), "40"),
        (policy().rule(Rule::tool("*").deny()), "403"),
    ] {
        let policy = built(policy);
        for caller in &callers {
            let unknown = seen(caller, &policy, "xxxxxx_xxx").await;
            // What reaches the server is answered by it; tests/suite has the real one.
            let is_servers = caller.tool(&policy, "xxxxxx_xxx").await.reached == 1;
            for decoy in ["export_all", "zap", "secret_door"] {
                let touched = caller.tool(&policy, decoy).await;
                assert_eq!(touched.reached, 0);
                let touched = format!("{} {}", touched.status(), touched.text().await);
                if is_servers {
                    assert!(touched.starts_with("200 OK"), "{touched}");
                    assert!(touched.contains("tool not found"), "{touched}");
                } else {
                    assert!(unknown.starts_with(kind), "{unknown}");
                    assert_eq!(touched, unknown);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_touched_decoy_is_marked_once_and_named_in_the_record_alone() {
    let policy = built(policy());
    for caller in [developer(), Caller::user(&[], &[]), Caller::anonymous()] {
        let answer = caller.tool(&policy, "export_all").await;
        let touched = |finding: &&bartizan_core::Finding| finding.verdict == Verdict::Honey;
        let honey: Vec<_> = answer.findings.iter().filter(touched).collect();
        assert_eq!(honey.len(), 1, "{:?}", answer.findings);
        assert_eq!((honey[0].layer, honey[0].kind), ("rbac", "honey_tool"));
        assert_eq!(honey[0].reason, "tool `export_all`");
        assert_eq!(answer.denial().kind(), DenialKind::Forbidden);
        assert!(!answer.text().await.contains("honey"));
    }
}

#[tokio::test]
async fn what_only_resembles_a_touch_is_none() {
    let policy = built(policy());
    let caller = developer();
    for request in [
        post("tools/call", json!({"name": "Export_all"})),
        post("tools/call", json!({"name": "export_all "})),
        post(
            "tools/call",
            json!({"name": "read_note", "arguments": {"name": "export_all"}}),
        ),
        post("prompts/get", json!({"name": "export_all"})),
        post("resources/read", json!({"uri": "export_all"})),
        post("acme/call", json!({"name": "export_all"})),
        raw(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","name":"export_all"}}"#,
        ),
    ] {
        let answer = caller.ask(&policy, request).await;
        let findings = &answer.findings;
        assert!(
            findings.iter().all(|f| f.verdict != Verdict::Honey),
            "{findings:?}"
        );
    }
    // A notification calls as well.
    let body = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"export_all"}}"#;
    let answer = caller.ask(&policy, raw(body)).await;
    assert_eq!((answer.status().as_u16(), answer.reached), (202, 0));
    assert!(answer.findings.iter().any(|f| f.verdict == Verdict::Honey));
}

#[test]
fn no_caller_is_permitted_a_decoy_and_who_asks_the_policy_is_told_it_is_unknown() {
    let policy = built(policy().rule(Rule::tool("*").anyone()));
    for role in ["admin", "developer", "nobody"] {
        let ann = Principal::user("i", "ann").roles([role]).build("t");
        for name in ["export_all", "secret_door"] {
            let decision = policy.decide(Some(&ann), &Operation::tool(name));
            assert_eq!(decision, Decision::Unknown);
        }
    }
}

#[tokio::test]
async fn who_is_told_by_what_was_decided_is_told_nothing_of_decoys() {
    for policy in [
        policy(),
        policy().rule(Rule::tool("*").role("developer")),
        policy().rule(Rule::tool("*").role("admin")),
        policy().rule(Rule::tool("*").scope("a")),
    ] {
        let layer = RbacLayer::new(built(policy));
        let layer = layer.decision_header("x-authz-decision", "developer");
        let layer = layer.unwrap();
        let mut told = Vec::new();
        for name in ["export_all", "unheard_of"] {
            let asked = crate::explained::ask(&layer, &developer(), name).await;
            let header = asked.header.unwrap();
            told.push(header.split("; id=").next().unwrap().to_owned());
        }
        assert_eq!(told[0], told[1]);
    }
}

fn tools(names: &[&str]) -> Value {
    let tools: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
    json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}})
}

async fn listed(caller: &Caller, policy: PolicyBuilder, answer: &Value) -> Listed {
    let layer = RbacLayer::new(built(policy));
    whole(layer, caller, &json_list("tools/list", answer.clone())).await
}

fn names(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap();
    let tools = body["result"]["tools"].as_array().unwrap();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn those_of_the_role_are_shown_decoys_and_others_are_not() {
    let answer = tools(&["list_notes", "read_note", "secret_door"]);
    for (caller, shown) in [
        (
            developer(),
            &["export_all", "list_notes", "read_note", "zap"][..],
        ),
        // It includes that role.
        (
            Caller::user(&["admin"], &[]),
            &["export_all", "list_notes", "read_note", "zap"],
        ),
        (Caller::user(&["viewer"], &[]), &["list_notes", "read_note"]),
    ] {
        let listed = listed(&caller, policy(), &answer).await;
        assert_eq!(names(&listed.body), shown);
    }
    let listed = listed(&developer(), policy(), &answer).await;
    assert_eq!(listed.noted(), ["2 of 3 tools, and 2 honey tools"]);
    assert!(listed.body.contains(EXPORT), "{}", listed.body);
}

#[tokio::test]
async fn a_credential_that_is_not_good_for_a_decoy_is_not_shown_it() {
    let limits = CredentialLimits::new()
        .with_tools(["read_*", "zap"])
        .unwrap();
    let ann = Principal::user("https://auth.example.com", "ann").roles(["developer"]);
    let caller = Caller::of(ann.limits(limits).build("apikey"));
    let listed = listed(&caller, policy(), &tools(&["read_note"])).await;
    assert_eq!(names(&listed.body), ["read_note", "zap"]);
}

#[tokio::test]
async fn decoys_stand_where_a_sorted_list_has_them_and_else_at_its_end() {
    for (server, shown) in [
        (&[][..], &["export_all", "zap"][..]),
        (&["read_note"], &["export_all", "read_note", "zap"]),
        (&["list_a", "zebra"], &["export_all", "list_a", "zap"]),
        // What is not shown counts too, so that what two callers see fits together.
        (&["zebra", "list_a"], &["list_a", "export_all", "zap"]),
        (
            &["read_b", "read_a"],
            &["read_b", "read_a", "export_all", "zap"],
        ),
        // The server has a tool of that name, which nobody sees.
        (
            &["export_all", "list_a", "zap"],
            &["export_all", "list_a", "zap"],
        ),
        (&["read_a", "export_all"], &["read_a", "export_all", "zap"]),
    ] {
        for _ in 0..2 {
            let listed = listed(&developer(), policy(), &tools(server)).await;
            assert_eq!(names(&listed.body), shown, "{server:?}");
        }
    }
}

#[tokio::test]
async fn decoys_are_on_the_last_page_only() {
    let mut answer = tools(&["read_note"]);
    for (cursor, shown) in [
        (json!("next"), &["read_note"][..]),
        (json!(""), &["read_note"]),
        (json!(null), &["export_all", "read_note", "zap"]),
    ] {
        answer["result"]["nextCursor"] = cursor;
        let listed = listed(&developer(), policy(), &answer).await;
        assert_eq!(names(&listed.body), shown);
    }
    // Whichever comes first.
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"nextCursor":"x","tools":[{"name":"read_a"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_a"}],"nextCursor":"x"}}"#,
    ] {
        let mut vector = json_list("tools/list", json!({}));
        vector.body = text.to_owned();
        let listed = whole(RbacLayer::new(built(policy())), &developer(), &vector).await;
        assert_eq!(listed.body, text);
    }
    let mut vector = json_list("tools/list", json!({}));
    vector.body = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"NextCursor":"x"}}"#.to_owned();
    let listed = whole(RbacLayer::new(built(policy())), &developer(), &vector).await;
    assert!(listed.is_refused(), "a client might read it as a cursor");
}

#[tokio::test]
async fn decoys_are_written_as_the_server_writes_its_list() {
    let export = || with_rules().honey_tool(export());
    for (before, after) in [
        ("[]", "[D]"),
        ("[ ]", "[D]"),
        (r#"[{"name":"read_a"}]"#, r#"[D,{"name":"read_a"}]"#),
        (
            r#"[{"name": "a"}, {"name": "read_a"}]"#,
            r#"[D, {"name": "read_a"}]"#,
        ),
        (
            "[\n  {\"name\":\"read_a\"},\n  {\"name\":\"read_b\"}\n]",
            "[\n  D,\n  {\"name\":\"read_a\"},\n  {\"name\":\"read_b\"}\n]",
        ),
    ] {
        let mut vector = json_list("tools/list", json!({}));
        let text = |list: &str| {
            format!(r#"{{"jsonrpc": "2.0", "id":1,"result":{{"tools":{list},"x":[1, 2]}}}}"#)
        };
        vector.body = text(before);
        let listed = whole(RbacLayer::new(built(export())), &developer(), &vector).await;
        assert_eq!(listed.body, text(&after.replace('D', EXPORT)));
        assert!(!listed.head.headers.contains_key("content-length"));
    }
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_list_decoys_are_in_it_once_and_else_it_is_as_without_them(
        server in prop::collection::vec("(read_|list_|x)[a-c]|export_all|zap|zzz", 0..8),
        space in "[ \n]{0,2}",
        is_sorted in any::<bool>(),
    ) {
        let mut server = server;
        if is_sorted {
            server.sort();
        }
        let elements = server.iter().map(|name| format!(r#"{{"name":"{name}"}}"#));
        let elements: Vec<_> = elements.collect();
        let list = elements.join(&format!(",{space}"));
        let mut vector = json_list("tools/list", json!({}));
        vector.body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{space}{list}{space}]}}}}"#);
        let seen = |policy: PolicyBuilder| {
            let layer = RbacLayer::new(built(policy));
            names(&blocking(whole(layer, &developer(), &vector)).body)
        };
        let (with, without) = (seen(policy()), seen(with_rules()));
        let is_decoy = |name: &&String| ["export_all", "zap"].contains(&name.as_str());
        let decoys: Vec<_> = with.iter().filter(is_decoy).cloned().collect();
        prop_assert_eq!(decoys, ["export_all", "zap"]);
        let others: Vec<_> = with.iter().filter(|name| !is_decoy(name)).cloned().collect();
        prop_assert_eq!(others, without);
        if server.is_sorted() {
            prop_assert!(with.is_sorted(), "{:?}", with);
        }
    }
}

#[tokio::test]
async fn n_14_other_members_are_edited_as_ever() {
    let mut vector = json_list("tools/list", json!({}));
    for (before, after) in [
        (
            r#"{"cacheScope":"public","tools":[{"name":"read_a"}]}"#,
            r#"{"cacheScope":"private","tools":[D,{"name":"read_a"},Z]}"#,
        ),
        (
            r#"{"tools":[{"name":"aa"},{"name":"read_a"}],"resources":[{"uri":"a:b"}],"cacheScope":"public"}"#,
            r#"{"tools":[D,{"name":"read_a"},Z],"resources":[],"cacheScope":"private"}"#,
        ),
    ] {
        vector.body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{before}}}"#);
        let listed = whole(RbacLayer::new(built(policy())), &developer(), &vector).await;
        let after = after.replace('D', EXPORT).replace('Z', ZAP);
        let after = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{after}}}"#);
        assert_eq!(listed.body, after);
    }
}

#[tokio::test]
async fn decoys_are_in_event_streams_too() {
    let list = tools(&["read_note"]);
    let vector = stream_list(&format!("id: 1\ndata: {list}\n\n: end\n\n"));
    let shown = list.to_string();
    let shown = shown.replace('[', &format!("[{EXPORT},"));
    let shown = shown.replace(']', &format!(",{ZAP}]"));
    let streamed = format!("id: 1\ndata: {shown}\n\n: end\n\n");
    for method in ["tools/list", "GET"] {
        let vector = crate::lists::Vector {
            method: method.to_owned(),
            ..stream_list(&vector.body)
        };
        let open = || policy().rule(Rule::stream().identified());
        let listed = whole(RbacLayer::new(built(open())), &developer(), &vector).await;
        assert_eq!(listed.body, streamed, "{method}");
        let viewer = Caller::user(&["viewer"], &[]);
        let listed = whole(RbacLayer::new(built(open())), &viewer, &vector).await;
        assert_eq!(listed.body, vector.body, "{method}");
    }
}

#[tokio::test]
async fn a_list_in_the_answer_to_another_request_has_them_and_what_is_none_has_not() {
    for (tools, is_list) in [
        (r#"[{"name":"read_note"}]"#, true),
        ("[]", false),
        (r#"["read_note"]"#, false),
        (r#"[{"name":"read_note"},{"title":"x"}]"#, false),
        (r#"[{"name":7}]"#, false),
    ] {
        let mut vector = json_list("ping", json!({}));
        vector.body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{tools}}}}}"#);
        let listed = whole(RbacLayer::new(built(policy())), &developer(), &vector).await;
        assert_eq!(listed.body.contains(EXPORT), is_list, "{}", listed.body);
        assert_eq!(listed.body == vector.body, !is_list, "{}", listed.body);
    }
    // Resources are other things than tools.
    let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {"resources": []}});
    let vector = json_list("resources/list", answer);
    let listed = whole(RbacLayer::new(built(policy())), &developer(), &vector).await;
    assert_eq!(listed.body, vector.body);
}

#[tokio::test]
async fn a_decoy_that_the_server_lists_itself_is_shown_to_its_roles_only() {
    let own = || with_rules().honey_tool(HoneyTool::new("server_own").shown_to(["developer"]));
    let answer = tools(&["read_note", "server_own", "unheard_of"]);
    let listed_to = async |caller: Caller| names(&listed(&caller, own(), &answer).await.body);
    assert_eq!(listed_to(developer()).await, ["read_note", "server_own"]);
    let viewer = Caller::user(&["viewer"], &[]);
    assert_eq!(listed_to(viewer).await, ["read_note"]);
    // Where it does not, nothing is made up.
    let listed = listed(&developer(), own(), &tools(&["read_note"])).await;
    assert_eq!(names(&listed.body), ["read_note"]);
    let answer = developer().tool(&built(own()), "server_own").await;
    assert_eq!((answer.reached, answer.status().as_u16()), (0, 200));
}

#[test]
fn decoys_that_could_be_tools_or_are_none_do_not_build() {
    let many = (0..33).fold(with_rules(), |policy, n| {
        policy.honey_tool(HoneyTool::new(&format!("decoy_{n}")))
    });
    let of = |tool: HoneyTool| with_rules().honey_tool(tool);
    for (policy, problem) in [
        (of(HoneyTool::new("")), "honey tool `` is not 1 to 128"),
        (of(HoneyTool::new("a*")), "honey tool `a*` is not"),
        (of(HoneyTool::new("a b")), "honey tool `a b` is not"),
        (
            of(HoneyTool::new("zap")).honey_tool(HoneyTool::new("zap")),
            "honey tool `zap` is there twice",
        ),
        (
            of(HoneyTool::new("zap")).rule(Rule::tool("zap").role("admin")),
            "honey tool `zap` is named by rule `tool:zap`",
        ),
        (
            of(HoneyTool::new("zap")).annotated_tools(Catalog::default().tool("zap")),
            "honey tool `zap` is annotated",
        ),
        (
            of(HoneyTool::new("zap").shown_to(["developr"])),
            "role `developr` is not declared, and shown honey tool `zap`",
        ),
        (
            of(HoneyTool::new("zap").definition("{")),
            "honey tool `zap` has a definition that",
        ),
        (
            of(HoneyTool::new("zap").definition(EXPORT)),
            "honey tool `zap` has a definition that is of another name",
        ),
        (many, "honey tool `decoy_32` is one too many"),
    ] {
        let error = policy.build().unwrap_err().to_string();
        assert!(error.starts_with(problem), "{error}");
    }
}

#[test]
fn the_lint_finds_decoys_that_are_tools_and_rules_that_leave_names_to_the_server() {
    let policy = policy()
        .rule(Rule::tool("*").role("admin"))
        .build()
        .unwrap();
    let catalog = Catalog::default().tool("read_note").tool("list_notes");
    let catalog = catalog.tool("export_all").tool("secret_door");
    let found = policy.lint(&catalog);
    let shown: Vec<_> = found.iter().map(LintFinding::to_string).collect();
    assert_eq!(
        shown,
        [
            "rule `tool:*` covers what others hide, and is not hidden",
            "honey tool `export_all` is a tool of the server's, and nobody may use it",
        ]
    );
}

#[cfg(feature = "files")]
mod in_files {
    use bartizan_rbac::RbacConfig;

    use super::*;

    const TOML: &str = r#"preset = 'enterprise'

[[rules]]
tool = 'read_*'
any_role = ['viewer']

[[honey_tools]]
name = 'export_all'
shown_to = ['developer']
definition = '''{"name":"export_all","description":"Exports all notes",
  "inputSchema":{"type":"object"}}'''

[[honey_tools]]
name = 'secret_door'
"#;

    #[tokio::test]
    async fn a_file_says_decoys() {
        let config = RbacConfig::from_toml(TOML).unwrap();
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(RbacConfig::from_json(&json).unwrap(), config);
        let layer = RbacLayer::try_from(config).unwrap();
        let vector = json_list("tools/list", tools(&["read_note"]));
        let listed = whole(layer, &developer(), &vector).await;
        assert!(listed.body.contains(EXPORT), "{}", listed.body);
    }

    #[test]
    fn what_is_wrong_with_a_decoy_is_told_with_its_line_and_its_name() {
        for (from, to, line, problem) in [
            ("name = 'export_all'", "nam = 'export_all'", 8, "nam"),
            (
                "name = 'export_all'",
                "name = 'export all'",
                8,
                "honey tool `export all` is not",
            ),
            ("'secret_door'", "'secret_door'\nallow = true", 15, "allow"),
            ("['developer']", "['developr']", 9, "role `developr`"),
            (
                "\"description\"",
                "\"descr\"",
                8,
                "honey tool `export_all` has a definition that has no `description`",
            ),
            (
                "'secret_door'",
                "'export_all'",
                8,
                "honey tool `export_all` is there twice",
            ),
            (
                "tool = 'read_*'",
                "tool = 'secret_door'",
                4,
                "honey tool `secret_door` is named by rule `tool:secret_door`",
            ),
        ] {
            let error = RbacConfig::from_toml(&TOML.replacen(from, to, 1)).unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains(problem), "{shown}");
            assert_eq!(error.line(), Some(line), "{shown}");
        }
        let unfiltered = TOML.replacen("\n[[rules]]", "lists.filter = false\n\n[[rules]]", 1);
        let error = RbacConfig::from_toml(&unfiltered).unwrap_err().to_string();
        assert!(
            error.contains("honey tool `export_all` is shown to some, and lists are not filtered"),
            "{error}"
        );
    }
}

use bartizan_rbac::{Policy, Rule};

#[test]
fn seed_z5_a_typo_does_not_build_and_is_named() {
    let rule = |rule: Rule| Policy::enterprise().rule(rule).build();
    for (built, named) in [
        (rule(Rule::tool("x").role("admn")), "role `admn`"),
        (
            rule(Rule::tool("x").any_role(["admin", "viewr"])),
            "role `viewr`",
        ),
        (
            rule(Rule::tool("x").capability("assignmets:read")),
            "`assignmets:read`",
        ),
        (
            rule(Rule::tool("x").capability("assignments:*")),
            "`assignments:*`",
        ),
        (rule(Rule::tool("x").scope("a b")), "scope `a b`"),
        (rule(Rule::tool("x").scope("")), "scope ``"),
        (rule(Rule::tool("x")), "rule `tool:x` needs nothing"),
        (
            rule(Rule::tool("x").scope("s").any_role([])),
            "rule `tool:x` needs one of no roles",
        ),
        (rule(Rule::tool("delete_* ").deny()), "pattern `delete_* `"),
        (
            rule(Rule::tool("x").anyone().role("admin")),
            "rule `tool:x`",
        ),
        (rule(Rule::tool("x").deny().identified()), "rule `tool:x`"),
        (rule(Rule::tool("x").deny().anyone()), "rule `tool:x`"),
        (
            rule(Rule::tool("x").role("admin").role("admin")),
            "`admin` is needed twice",
        ),
        (
            rule(Rule::tool("x").scope("a").scope("a")),
            "`a` is needed twice",
        ),
        (rule(Rule::tool("").deny()), "pattern ``"),
        (rule(Rule::tool("a?").deny()), "pattern `a?`"),
        (rule(Rule::tool("{a,b}").deny()), "pattern `{a,b}`"),
        (rule(Rule::tool("*").except("[a]").deny()), "pattern `[a]`"),
        (
            rule(Rule::resource("file:///a/../b").deny()),
            "pattern `file:///a/../b`",
        ),
        (rule(Rule::stream().except("x").deny()), "pattern `x`"),
        (rule(Rule::tool("x").named("").deny()), "rule ``"),
        (
            Policy::enterprise()
                .rule(Rule::tool("x").role("admin"))
                .rule(Rule::tool("x").scope("a"))
                .build(),
            "rule `tool:x` is there twice",
        ),
        (
            Policy::builder()
                .role("a", [])
                .capability("c:d")
                .rule(Rule::tool("x").capability("c:d"))
                .build(),
            "`c:d` is granted by no role",
        ),
    ] {
        let error = built.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn seed_z5_an_exception_that_takes_nothing_out_does_not_build() {
    // The second and third are meant for tools and would open them.
    for (rule, except) in [
        (Rule::tool("delete_note"), "delete_note"),
        (Rule::method("tools/call"), "delete_note"),
        (Rule::method("tools/*"), "delete_*"),
        (Rule::tool("read_*"), "raed_log"),
        (Rule::tool("*_note"), "*_log"),
        (Rule::resource("file:///public/**"), "file:///private/**"),
    ] {
        let rule = rule.except(except).identified();
        let error = Policy::builder().rule(rule).build().unwrap_err();
        assert!(error.to_string().contains(except), "{error}");
    }
    for (rule, except) in [
        (Rule::tool("read_*"), "read_log"),
        (Rule::tool("read_*"), "*_log"),
        (Rule::tool("*_log"), "read_*"),
        (Rule::resource("**"), "file:///private/**"),
        (Rule::resource("file:///**/x"), "file:///a/**"),
    ] {
        let rule = rule.except(except).identified();
        assert!(Policy::builder().rule(rule).build().is_ok(), "{except}");
    }
}

use super::*;
use crate::{Annotation, Condition, Rule, UnknownAnswer};

fn read(json: &str) -> Result<RbacConfig, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn every_setting_reaches_the_policy() {
    let config = read(
        r#"{
            "version": "7",
            "preset": "enterprise",
            "roles": { "auditor": { "includes": ["viewer"], "grants": ["logs:read"] } },
            "grants": { "viewer": ["files:read"] },
            "capabilities": ["files:write"],
            "scope_includes": { "a": ["b"] },
            "annotated_tools": { "x_y": { "read_only": true } },
            "rules": [
                { "tool": "x_*", "except": ["x_y"], "any_role": ["admin", "viewer"],
                  "capabilities": ["files:read"], "scopes": ["a", "b"], "named": "one",
                  "requires": [{ "argument": "owner", "is": "subject" }],
                  "approval": true, "approver_role": "admin",
                  "approver_capability": "logs:read" },
                { "resource": "file:///**", "identified": true },
                { "prompt": "p", "anyone": true, "hidden": true },
                { "method": "tasks/*", "deny": true },
                { "annotated": "open_world", "deny": true },
                { "stream": true, "deny": true },
                { "end_session": true, "deny": true },
                { "response": true, "deny": true }
            ],
            "without_baseline": true
        }"#,
    );
    let by_hand = Policy::enterprise()
        .version("7")
        .role("auditor", ["viewer"])
        .grant("auditor", ["logs:read"])
        .grant("viewer", ["files:read"])
        .capability("files:write")
        .scope_includes("a", ["b"])
        .rule(
            Rule::tool("x_*")
                .except("x_y")
                .any_role(["admin", "viewer"])
                .capability("files:read")
                .scope("a")
                .scope("b")
                .requires(Condition::argument("owner").is_subject())
                .approver_role("admin")
                .approver_capability("logs:read")
                .named("one"),
        )
        .rule(Rule::resource("file:///**").identified())
        .rule(Rule::prompt("p").anyone().hidden())
        .rule(Rule::method("tasks/*").deny())
        .rule(Rule::annotated(Annotation::OpenWorld).deny())
        .annotated_tools(Catalog::default().annotated_tool(
            "x_y",
            ToolAnnotations {
                read_only: true,
                ..ToolAnnotations::default()
            },
        ))
        .rule(Rule::stream().deny())
        .rule(Rule::end_session().deny())
        .rule(Rule::response().deny())
        .without_baseline();
    assert_eq!(builder(&config.unwrap()).unwrap(), by_hand);
    assert!(by_hand.build().is_ok());
    assert_eq!(builder(&RbacConfig::default()).unwrap(), Policy::builder());
}

#[test]
fn call_limits_reach_the_layer() {
    let config = read(r#"{ "call_limits": { "body_bytes": 77 } }"#).unwrap();
    let layer = RbacLayer::try_from(config).unwrap();
    assert!(format!("{layer:?}").contains("body_bytes: 77"), "{layer:?}");
}

#[test]
fn list_settings_reach_the_layer() {
    let shown = |json| format!("{:?}", RbacLayer::try_from(read(json).unwrap()).unwrap());
    let layer = shown(r#"{ "lists": { "hide_without_scopes": true, "most_bytes": 77 } }"#);
    assert!(
        layer.contains("hide_without_scopes: true, most_bytes: 77"),
        "{layer}"
    );
    let layer = shown(r#"{ "lists": { "filter": false } }"#);
    assert!(layer.contains("lists: None"), "{layer}");
}

#[test]
fn the_answer_to_unknown_names_reaches_the_layer() {
    let json = r#"{ "unknown": { "events": true, "tool": "no {name}", "prompt": "p",
                                 "resource": "r", "resource_data": "[]" } }"#;
    let layer = format!("{:?}", RbacLayer::try_from(read(json).unwrap()).unwrap());
    let answer = UnknownAnswer::events().tool("no {name}").unwrap();
    let answer = answer
        .prompt("p")
        .unwrap()
        .resource("r", Some("[]"))
        .unwrap();
    assert!(layer.contains(&format!("{answer:?}")), "{layer}");
}

#[test]
fn a_contradiction_or_an_unknown_field_names_itself() {
    for (json, named) in [
        (r#"{ "rule": [] }"#, "rule"),
        (r#"{ "roles": { "a": {}, "a": {} } }"#, "`a` is there twice"),
        (r#"{ "preset": "enterprize" }"#, "enterprize"),
        (r#"{ "rules": [{ "tools": "x" }] }"#, "tools"),
        (r#"{ "roles": { "a": { "include": [] } } }"#, "include"),
        (
            r#"{ "rules": [{ "identified": true, "named": "n" }] }"#,
            "`n`",
        ),
        (
            r#"{ "rules": [{ "tool": "t", "stream": true, "deny": true }] }"#,
            "tool:t",
        ),
        (r#"{ "rules": [{ "tool": "t" }] }"#, "tool:t"),
        (
            r#"{ "rules": [{ "tool": "t", "scopes": ["s"], "any_role": [] }] }"#,
            "one of no roles",
        ),
        (
            r#"{ "rules": [{ "tool": "t", "identified": true, "approver_role": "a" }] }"#,
            "`a` approves nothing",
        ),
        (r#"{ "call_limits": { "depth": 1 } }"#, "depth"),
        (r#"{ "lists": { "most_bytes": 0 } }"#, "`0`"),
        (r#"{ "lists": { "filters": true } }"#, "filters"),
        (r#"{ "unknown": { "tools": "x" } }"#, "tools"),
        (
            r#"{ "rules": [{ "tool": "t", "deny": true, "hidden": true }], "lists": { "filter": false } }"#,
            "lists.filter",
        ),
        (
            r#"{ "unknown": { "tool": "{name}{name}{name}" } }"#,
            "twice",
        ),
        (r#"{ "unknown": { "resource_data": "1" } }"#, "beside it"),
        (
            r#"{ "rules": [{ "stream": true, "deny": true, "hidden": true }] }"#,
            "hides what is no tool",
        ),
        (
            r#"{ "lists": { "filter": false, "hide_without_scopes": true } }"#,
            "hide_without_scopes",
        ),
    ] {
        let layer =
            read(json).and_then(|config| RbacLayer::try_from(config).map_err(|e| e.to_string()));
        let error = layer.unwrap_err();
        assert!(error.contains(named), "{error}");
    }
}

use bartizan_core::Principal;
use bartizan_rbac::{Operation, Policy};
use http::HeaderValue;
use serde_json::json;

use crate::common::{Caller, notes, post};

#[test]
fn seed_z2_seed_z3_the_preset_gives_every_role_what_it_includes_and_grants() {
    let policy = Policy::enterprise().build().unwrap();
    let all = [
        "assignments:create",
        "assignments:read",
        "assignments:update",
        "assignments:delete",
        "releases:deploy",
        "pipelines:trigger",
        "reports:read",
    ];
    for (role, includes, grants) in [
        (
            "admin",
            &["admin", "developer", "analyst", "viewer", "service"][..],
            &all[..],
        ),
        (
            "developer",
            &["developer", "viewer"],
            &[
                "assignments:create",
                "assignments:read",
                "assignments:update",
                "pipelines:trigger",
            ],
        ),
        (
            "analyst",
            &["analyst", "viewer"],
            &["assignments:read", "reports:read"],
        ),
        ("viewer", &["viewer"], &["assignments:read"]),
        (
            "service",
            &["service"],
            &["assignments:read", "pipelines:trigger"],
        ),
    ] {
        let ann = Principal::user("i", "ann").roles([role]).build("jwt");
        for other in ["admin", "developer", "analyst", "viewer", "service"] {
            let has = policy.check_role(&ann, &[other]);
            assert_eq!(has, includes.contains(&other), "{role} as {other}");
        }
        for capability in all {
            let has = policy.has_capability(&ann, capability);
            assert_eq!(has, grants.contains(&capability), "{role}, {capability}");
        }
    }
}

#[test]
fn seed_z4_several_roles_add_up_and_unknown_ones_do_not_count() {
    let policy = notes();
    let both = Principal::user("i", "ann")
        .roles(["service", "analyst", "nobody"])
        .build("jwt");
    assert!(policy.check_role(&both, &["viewer"]) && policy.check_role(&both, &["service"]));
    assert!(!policy.check_role(&both, &["admin", "nobody"]));
    assert!(!policy.check_role(&both, &[]));
    for tool in ["read_note", "trigger"] {
        assert!(
            policy
                .decide(Some(&both), &Operation::tool(tool))
                .is_admitted(),
            "{tool}"
        );
    }
    // Exactly: neither case nor space is folded.
    let near = Principal::user("i", "ann")
        .roles(["Admin", "admin ", "ADMIN", "*"])
        .build("jwt");
    assert!(!policy.check_role(&near, &["admin", "viewer", "*"]));
}

#[test]
fn a_capability_that_nobody_declared_is_nobodys() {
    let policy = Policy::enterprise().build().unwrap();
    let admin = Principal::user("i", "ann").roles(["admin"]).build("jwt");
    assert!(policy.has_capability(&admin, "releases:deploy"));
    assert!(!policy.has_capability(&admin, "release:deploy"));
    assert!(!policy.has_capability(&admin, "*"));
}

#[tokio::test]
async fn seed_z1_ta_10_a_role_in_arguments_or_client_info_changes_nothing() {
    let viewer = Caller::user(&["viewer"], &[]);
    for params in [
        json!({"name": "delete_note", "arguments": {"user_context": {"role": "admin"}}}),
        json!({"name": "delete_note", "role": "admin", "roles": ["admin"]}),
        json!({"name": "delete_note", "_meta": {"io.modelcontextprotocol/clientInfo":
            {"name": "admin", "version": "1"}, "role": "admin"}}),
        json!({"name": "delete_note", "annotations": {"readOnlyHint": true}}),
    ] {
        let answer = viewer.call(&notes(), "tools/call", params).await;
        assert_eq!(answer.status(), 403);
    }
}

#[tokio::test]
async fn n_12_headers_that_name_roles_decide_nothing() {
    let mut request = post("tools/call", json!({"name": "delete_note"}));
    for name in [
        "x-role",
        "x-user-roles",
        "mcp-param-role",
        "x-http-method-override",
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static("admin"));
    }
    let answer = Caller::user(&["viewer"], &[]).ask(&notes(), request).await;
    assert_eq!(answer.status(), 403);
}

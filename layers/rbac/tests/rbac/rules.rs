use std::sync::Arc;

use bartizan_core::{DenialKind, Principal};
use bartizan_rbac::{Decision, Operation, Policy, Rule};
use http::StatusCode;
use serde_json::json;

use crate::common::{Caller, notes, raw};

#[tokio::test]
async fn ta_1_sc_5_viewer_on_the_destructive_tool_is_403_without_challenge_and_admin_is_200() {
    let viewer = Caller::user(&["viewer"], &["notes.admin"]);
    let refused = viewer.tool(&notes(), "delete_note").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.denial().kind(), DenialKind::Forbidden);
    assert_eq!(refused.challenges(), [""; 0]);
    assert_eq!(refused.reached, 0);

    let admin = Caller::user(&["admin"], &[]);
    let admitted = admin.tool(&notes(), "delete_note").await;
    assert_eq!((admitted.status(), admitted.reached), (StatusCode::OK, 1));
}

#[tokio::test]
async fn seed_z6_what_no_rule_covers_is_denied_even_to_admin() {
    let admin = Caller::user(&["admin"], &["notes.admin"]);
    for (method, params) in [
        ("tools/call", json!({"name": "unheard_of"})),
        ("tools/call", json!({"name": "format_disk"})),
        ("tools/call", json!({"name": "delete"})),
        ("prompts/get", json!({"name": "unheard_of"})),
        ("resources/read", json!({"uri": "file:///etc/passwd"})),
        ("sampling/createMessage", json!({})),
        ("tasks/get", json!({"taskId": "1"})),
        ("Tools/Call", json!({"name": "read_note"})),
        ("nope/x", json!({})),
        ("", json!({})),
    ] {
        let answer = admin.call(&notes(), method, params).await;
        assert_eq!(
            (answer.status(), answer.reached),
            (StatusCode::FORBIDDEN, 0),
            "{method}"
        );
        assert_eq!(answer.challenges(), [""; 0]);
    }
}

#[tokio::test]
async fn a_method_rule_adds_to_the_baseline_and_to_the_rules_of_what_it_acts_on() {
    let policy = Policy::enterprise()
        .rule(Rule::method("tools/*").role("viewer"))
        .rule(Rule::tool("x").scope("x"))
        .build();
    let policy = Arc::new(policy.unwrap());
    for (roles, scopes, tool, listed) in [
        (&[][..], &["x"][..], 403, 403),
        (&["viewer"], &[], 403, 200),
        (&["viewer"], &["x"], 200, 200),
    ] {
        let caller = Caller::user(roles, scopes);
        assert_eq!(caller.tool(&policy, "x").await.status(), tool);
        let list = caller.call(&policy, "tools/list", json!({})).await;
        assert_eq!(list.status(), listed);
    }
}

#[tokio::test]
async fn ta_5_escaped_names_are_judged_unescaped_and_case_counts() {
    let body = |name: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll","params":{{"n\u0061me":"{name}"}}}}"#
        )
    };
    for (name, viewer, admin) in [
        (r"\u0064elete_note", 403, 200),
        (r"delete\u005fnote", 403, 200),
        (r"r\u0065ad_note", 200, 200),
        ("DELETE_note", 200, 200),
        ("Delete_Note", 403, 403),
        (r"delete_note\u0000", 400, 400),
        (r"delete_note\n", 403, 200),
        (" delete_note", 200, 200),
    ] {
        for (role, status) in [("viewer", viewer), ("admin", admin)] {
            let answer = Caller::user(&[role], &[])
                .ask(&notes(), raw(body(name)))
                .await;
            assert_eq!(answer.status(), status, "{role} {name}");
        }
    }
}

#[test]
fn a_decision_tells_what_would_help() {
    let policy = notes();
    let viewer = Caller::user(&["viewer"], &[]).principal;
    let decide = |name| policy.decide(viewer.as_ref(), &Operation::tool(name));
    assert_eq!(decide("read_note"), Decision::Admitted);
    assert_eq!(decide("edit_note"), Decision::ScopeInsufficient);
    assert_eq!(decide("delete_note"), Decision::Forbidden);
    let nobody = Principal::anonymous();
    let decide = |op| policy.decide(Some(&nobody), &op);
    assert_eq!(
        decide(Operation::prompt("review_x")),
        Decision::CredentialsMissing
    );
    assert_eq!(
        decide(Operation::resource("file:///x")),
        Decision::Forbidden
    );
    assert_eq!(decide(Operation::method("ping")), Decision::Admitted);
}

#[test]
fn a_decision_allocates_nothing_among_a_thousand_rules() {
    let mut policy = Policy::builder();
    for n in 0..100 {
        let below = (n > 0).then(|| format!("role{}", n - 1));
        policy = policy.role(&format!("role{n}"), below.as_deref());
    }
    for n in 0..500 {
        policy = policy
            .rule(
                Rule::tool(&format!("tool_{n}"))
                    .role("role50")
                    .scope("tools"),
            )
            .rule(Rule::tool(&format!("group_{n}_*")).role("role50"));
    }
    let policy = policy.build().unwrap();
    let ann = Principal::user("i", "ann")
        .roles(["role99", "x"])
        .scopes(["a", "tools"]);
    let ann = ann.build("jwt");
    for name in ["tool_250", "group_250_x", "ungrouped"] {
        let mut admitted = false;
        let counted = allocation_counter::measure(|| {
            admitted = policy
                .decide(Some(&ann), &Operation::tool(name))
                .is_admitted();
        });
        assert_eq!(counted.count_total, 0, "{name}");
        assert_eq!(admitted, name != "ungrouped");
    }
}

use std::sync::Arc;

use bartizan_rbac::{Policy, Rule};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::common::{Caller, notes, raw};

/// What the baseline and `notes()` say of each method, to nobody, to somebody and to an admin.
const METHODS: &[(&str, Value, [u16; 3])] = &[
    ("initialize", Value::Null, [200, 200, 200]),
    ("server/discover", Value::Null, [200, 200, 200]),
    ("ping", Value::Null, [200, 200, 200]),
    ("notifications/initialized", Value::Null, [403, 403, 403]),
    ("tools/list", Value::Null, [401, 200, 200]),
    ("resources/list", Value::Null, [401, 200, 200]),
    ("resources/templates/list", Value::Null, [401, 200, 200]),
    ("prompts/list", Value::Null, [401, 200, 200]),
    ("logging/setLevel", Value::Null, [401, 403, 200]),
    ("subscriptions/listen", Value::Null, [401, 200, 200]),
    ("tasks/list", Value::Null, [403, 403, 403]),
    ("sampling/createMessage", Value::Null, [403, 403, 403]),
    ("elicitation/create", Value::Null, [403, 403, 403]),
    ("roots/list", Value::Null, [403, 403, 403]),
    ("notifications/message", Value::Null, [403, 403, 403]),
    ("rpc.discover", Value::Null, [403, 403, 403]),
];

#[tokio::test]
async fn sc_9_n_15_every_method_is_judged_for_every_kind_of_principal() {
    let policy = notes();
    let callers = [
        Caller::anonymous(),
        Caller::user(&[], &[]),
        Caller::user(&["admin"], &["notes.admin"]),
    ];
    let named = [
        ("tools/call", json!({"name": "read_note"}), [401, 403, 200]),
        ("tools/call", json!({"name": "whoami"}), [401, 200, 200]),
        (
            "prompts/get",
            json!({"name": "review_code"}),
            [401, 403, 200],
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "review_code"}}),
            [401, 403, 200],
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "other"}}),
            [403, 403, 403],
        ),
        (
            "resources/read",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        (
            "resources/subscribe",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        (
            "resources/unsubscribe",
            json!({"uri": "file:///public/a"}),
            [401, 403, 200],
        ),
        ("tasks/get", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/cancel", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/update", json!({"taskId": "1"}), [403, 403, 403]),
        ("tasks/result", json!({"taskId": "1"}), [403, 403, 403]),
    ];
    for (method, params, statuses) in METHODS.iter().chain(&named) {
        for (caller, status) in callers.iter().zip(statuses) {
            let params = if params.is_null() {
                json!({})
            } else {
                params.clone()
            };
            let answer = caller.call(&policy, method, params).await;
            assert_eq!(
                answer.status(),
                *status,
                "{method} for {:?}",
                caller.principal
            );
            assert_eq!(answer.reached, usize::from(*status == 200));
        }
    }
}

#[tokio::test]
async fn the_baseline_covers_what_has_no_method_and_four_notifications() {
    let others = || {
        let response = json!({"jsonrpc": "2.0", "id": 1, "result": {}}).to_string();
        let notice = |name: &str| json!({"jsonrpc": "2.0", "method": name}).to_string();
        let method = |method| {
            Request::builder()
                .method(method)
                .body(Full::default())
                .unwrap()
        };
        vec![
            (method("GET"), Rule::stream(), 200),
            (method("DELETE"), Rule::end_session(), 200),
            (raw(response), Rule::response(), 200),
            (
                raw(notice("notifications/initialized")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/cancelled")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/progress")),
                Rule::method("*"),
                200,
            ),
            (
                raw(notice("notifications/roots/list_changed")),
                Rule::method("*"),
                200,
            ),
            (raw(notice("notifications/other")), Rule::method("*"), 403),
            (raw(notice("tools/list")), Rule::method("*"), 403),
            (raw(notice("ping")), Rule::method("*"), 403),
        ]
    };
    let bare = Arc::new(Policy::builder().without_baseline().build().unwrap());
    for place in 0..others().len() {
        let request = || others().swap_remove(place);
        let anonymous = Caller::anonymous();
        let answer = anonymous.ask(&notes(), request().0).await;
        assert_eq!(answer.status(), request().2, "{place}");
        assert_eq!(
            anonymous.ask(&bare, request().0).await.status(),
            403,
            "{place}"
        );
        let opened = Policy::builder()
            .without_baseline()
            .rule(request().1.anyone());
        let opened = Arc::new(opened.build().unwrap());
        assert_eq!(
            anonymous.ask(&opened, request().0).await.status(),
            200,
            "{place}"
        );
        let closed = Arc::new(Policy::builder().rule(request().1.deny()).build().unwrap());
        assert_eq!(
            anonymous.ask(&closed, request().0).await.status(),
            403,
            "{place}"
        );
    }
}

#[tokio::test]
async fn n_15_without_the_baseline_even_discovery_needs_a_rule() {
    let bare = Policy::builder().without_baseline();
    let bare = bare.rule(Rule::method("tools/list").anyone()).build();
    let bare = Arc::new(bare.unwrap());
    let ann = Caller::user(&[], &[]);
    assert_eq!(
        ann.call(&bare, "server/discover", json!({})).await.status(),
        403
    );
    let listed = Caller::anonymous()
        .call(&bare, "tools/list", json!({}))
        .await;
    assert_eq!(listed.status(), 200);
}

#[tokio::test]
async fn nobody_is_403_where_no_credential_would_help_and_200_where_anyone_may() {
    for (tool, status) in [("format_disk", 403), ("unheard_of", 403), ("status", 200)] {
        let answer = Caller::anonymous().tool(&notes(), tool).await;
        assert_eq!(answer.status(), status, "{tool}");
    }
}

#[tokio::test]
async fn tr_28_a_request_that_no_authentication_layer_saw_is_403_for_everything() {
    let open = Policy::builder()
        .rule(Rule::method("*").anyone())
        .rule(Rule::tool("*").anyone());
    let open = Arc::new(open.build().unwrap());
    for method in [
        "ping",
        "initialize",
        "server/discover",
        "tools/list",
        "nope",
    ] {
        let answer = Caller::default().call(&open, method, json!({})).await;
        assert_eq!(answer.status(), 403, "{method}");
        assert_eq!(
            Caller::anonymous()
                .call(&open, method, json!({}))
                .await
                .status()
                .as_u16(),
            if method == "tools/list" { 401 } else { 200 }
        );
    }
    assert_eq!(Caller::default().tool(&open, "status").await.status(), 403);
}

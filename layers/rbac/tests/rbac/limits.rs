//! What a credential is good for, whatever its owner may do.

use std::{convert::Infallible, sync::Arc};

use bartizan_core::{CredentialLimits, DenialKind, Principal, RequestBody, SecurityContext};
use bartizan_rbac::{Decision, Operation, Policy, RbacLayer, Rule};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, post};

fn policy() -> Arc<Policy> {
    let policy = Policy::enterprise()
        .rule(Rule::tool("*").role("viewer"))
        .rule(Rule::tool("edit_*").scope("notes.write"))
        .rule(Rule::prompt("*").role("viewer"))
        .rule(Rule::resource("file:///**").role("viewer"))
        .rule(Rule::method("subscriptions/listen").identified())
        .rule(Rule::method("tasks/*").identified())
        .rule(Rule::method("x/*").identified())
        .build();
    Arc::new(policy.unwrap())
}

fn key(limits: impl IntoIterator<Item = CredentialLimits>) -> Caller {
    let owner = Principal::user("https://auth.example.com", "ann").roles(["admin"]);
    let key = limits
        .into_iter()
        .fold(owner, |key, limits| key.limits(limits));
    Caller::of(key.build("apikey"))
}

fn tools(patterns: &[&str]) -> CredentialLimits {
    CredentialLimits::new().with_tools(patterns).unwrap()
}

#[tokio::test]
async fn sc_5_beyond_the_limits_of_the_credential_is_403_without_a_challenge() {
    let read = key([tools(&["read_*", "edit_note"])]);
    assert_eq!(read.tool(&policy(), "read_note").await.status(), 200);
    for name in ["delete_note", "READ_note", "edit_page"] {
        let answer = read.tool(&policy(), name).await;
        assert_eq!(
            (answer.status().as_u16(), answer.reached),
            (403, 0),
            "{name}"
        );
        assert_eq!(answer.challenges(), [""; 0]);
        let reason = &answer.finding().reason;
        let named = format!("`tools/call` of `{name}` is beyond the limits of the credential");
        assert!(reason.contains(&named), "{reason}");
    }
    // A scope would cure this one.
    let answer = read.tool(&policy(), "edit_note").await;
    assert_eq!(answer.denial().kind(), DenialKind::ScopeInsufficient);
}

#[tokio::test]
async fn limits_narrow_and_never_widen() {
    let policy = Policy::enterprise()
        .rule(Rule::tool("read_*").role("viewer"))
        .build();
    let policy = Arc::new(policy.unwrap());
    assert_eq!(
        key([tools(&["*"])]).tool(&policy, "other").await.status(),
        403
    );
    let nobody = Principal::user("i", "ann")
        .limits(tools(&["*"]))
        .build("apikey");
    assert_eq!(
        Caller::of(nobody).tool(&policy, "read_x").await.status(),
        403
    );
    let chain = key([tools(&["read_*"]), tools(&["*_note"])]);
    assert_eq!(chain.tool(&policy, "read_note").await.status(), 200);
    assert_eq!(chain.tool(&policy, "read_log").await.status(), 403);
}

#[tokio::test]
async fn a_key_for_tools_may_shake_hands_and_list_and_nothing_of_another_kind() {
    let read = key([tools(&["read_*"])]);
    let named = |name: &str| json!({ "name": name });
    let uri = |uri: &str| json!({ "uri": uri });
    let listen = |uris: &[&str]| json!({"notifications": {"resourceSubscriptions": uris}});
    let complete = json!({"ref": {"type": "ref/prompt", "name": "read_x"}, "argument": {"name": "a", "value": ""}});
    for (method, params, status) in [
        ("initialize", json!({}), 200),
        ("ping", json!({}), 200),
        ("tools/list", json!({}), 200),
        ("resources/list", json!({}), 200),
        ("tasks/get", json!({"taskId": "1"}), 200),
        ("subscriptions/listen", json!({}), 200),
        ("subscriptions/listen", listen(&["file:///a"]), 403),
        ("prompts/get", named("read_x"), 403),
        ("completion/complete", complete, 403),
        ("resources/read", uri("file:///a"), 403),
        ("resources/subscribe", uri("file:///a"), 403),
        ("x/tools", named("read_x"), 403),
    ] {
        let answer = read.call(&policy(), method, params.clone()).await;
        assert_eq!(answer.status(), status, "{method} {params}");
        let answer = key([]).call(&policy(), method, params.clone()).await;
        assert_eq!(answer.status(), 200, "without limits: {method} {params}");
    }
    let files = key([CredentialLimits::new()
        .with_resources(["file:///a/**"])
        .unwrap()]);
    for (uris, status) in [
        (&["file:///a/b"][..], 200),
        (&["file:///a/b", "file:///b"], 403),
        (&["file:///a/../b"], 403),
    ] {
        let answer = files
            .call(&policy(), "subscriptions/listen", listen(uris))
            .await;
        assert_eq!(answer.status(), status, "{uris:?}");
    }
}

#[tokio::test]
async fn ta_2_lists_show_what_the_credential_is_good_for() {
    for (limits, shown) in [
        (vec![tools(&["read_*"])], vec!["read_a", "read_b"]),
        (vec![tools(&["read_*"]), tools(&["*_b"])], vec!["read_b"]),
        (vec![tools(&[])], vec![]),
        (
            vec![
                CredentialLimits::new()
                    .with_methods(["tools/list"])
                    .unwrap(),
            ],
            vec![],
        ),
        (vec![], vec!["read_a", "read_b", "delete_a"]),
    ] {
        let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [
            {"name": "read_a"}, {"name": "read_b"}, {"name": "delete_a"},
        ]}});
        let inner = service_fn(move |_: Request<RequestBody<Full<Bytes>>>| {
            let answer = Response::builder().header("content-type", "application/json");
            let answer = answer.body(Full::new(Bytes::from(list.to_string())));
            async { Ok::<_, Infallible>(answer.unwrap()) }
        });
        let mut request = post("tools/list", json!({}));
        let context = SecurityContext::of(&mut request);
        context
            .set_principal(key(limits).principal.unwrap())
            .unwrap();
        let answer = RbacLayer::new(policy())
            .layer(inner)
            .oneshot(request)
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let listed = body["result"]["tools"].as_array().unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, shown);
    }
}

#[tokio::test]
async fn a_judged_request_says_that_its_limits_were_looked_at() {
    for (caller, judged) in [(key([tools(&[])]), true), (key([]), false)] {
        let mut request = post("tools/call", json!({"name": "x"}));
        let context = SecurityContext::of(&mut request);
        let _ = caller.ask(&policy(), request).await;
        assert_eq!(context.limits_are_judged(), judged);
    }
}

#[test]
fn a_policy_that_is_asked_without_a_request_knows_limits_too() {
    let key = key([tools(&["read_*"])]).principal.unwrap();
    let decide = |operation: &Operation<'_>| policy().decide(Some(&key), operation);
    assert_eq!(decide(&Operation::tool("read_x")), Decision::Admitted);
    assert_eq!(decide(&Operation::tool("x")), Decision::Forbidden);
    assert_eq!(
        decide(&Operation::resource("file:///a")),
        Decision::Forbidden
    );
    assert_eq!(
        decide(&Operation::method("tools/call")),
        Decision::Forbidden
    );
}

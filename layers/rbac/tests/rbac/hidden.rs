//! What is hidden can't be told from what does not exist (TA-12).

use std::{convert::Infallible, sync::Arc};

use bartizan_core::{CredentialLimits, DenialKind, Principal, RequestBody, SecurityContext};
use bartizan_rbac::{Decision, Operation, Policy, RbacLayer, Rule, UnknownAnswer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, post, raw};

/// `secret_*` is hidden, `open_*` is not.
fn policy() -> Arc<Policy> {
    let policy = Policy::enterprise()
        .version("test")
        .rule(
            Rule::tool("secret_*")
                .role("admin")
                .scope("secrets")
                .hidden(),
        )
        .rule(Rule::tool("secret_never").deny().hidden())
        .rule(Rule::tool("open_*").role("viewer"))
        .rule(Rule::tool("open_edit").scope("edit"))
        .rule(Rule::prompt("secret_*").role("admin").hidden())
        .rule(Rule::resource("file:///secret/**").role("admin").hidden())
        .rule(Rule::resource("file:///open/**").role("viewer"))
        .rule(Rule::method("subscriptions/listen").identified())
        .build();
    Arc::new(policy.unwrap())
}

fn key(tools: &[&str]) -> Caller {
    let limits = CredentialLimits::new().with_tools(tools).unwrap();
    let ann = Principal::user("https://auth.example.com", "ann").roles(["admin"]);
    Caller::of(ann.scopes(["secrets"]).limits(limits).build("apikey"))
}

/// Status, headers and body.
async fn seen(caller: &Caller, policy: &Arc<Policy>, method: &str, params: Value) -> String {
    let answer = caller.call(policy, method, params).await;
    format!("{} {}", answer.status(), answer.text().await)
}

#[tokio::test]
async fn ta_12_whom_a_hidden_rule_refuses_is_answered_as_for_a_name_that_nothing_covers() {
    let tool = |name: &str| ("tools/call", json!({ "name": name }));
    let prompt = |name: &str| ("prompts/get", json!({ "name": name }));
    let read = |name: &str| {
        (
            "resources/read",
            json!({"uri": format!("file:///{name}/a")}),
        )
    };
    let complete = |name: &str| {
        let reference = json!({"type": "ref/prompt", "name": name});
        let argument = json!({"name": "a", "value": ""});
        (
            "completion/complete",
            json!({"ref": reference, "argument": argument}),
        )
    };
    for (caller, hidden, unknown) in [
        // A role is missing.
        (
            Caller::user(&["viewer"], &["secrets"]),
            tool("secret_1"),
            tool("unseen_1"),
        ),
        // Only a scope is.
        (
            Caller::user(&["admin"], &[]),
            tool("secret_1"),
            tool("unseen_1"),
        ),
        // Nothing would do.
        (
            Caller::user(&["admin"], &["secrets"]),
            tool("secret_never"),
            tool("unseen_never"),
        ),
        // Nobody in particular calls.
        (Caller::anonymous(), tool("secret_1"), tool("unseen_1")),
        // The credential is good for something else.
        (key(&["open_*"]), tool("secret_1"), tool("unseen_1")),
        (
            Caller::user(&["viewer"], &[]),
            prompt("secret_1"),
            prompt("unseen_1"),
        ),
        (
            Caller::user(&["viewer"], &[]),
            read("secret"),
            read("unseen"),
        ),
        (
            Caller::user(&["viewer"], &[]),
            complete("secret_1"),
            complete("unseen_1"),
        ),
    ] {
        let hidden_seen = seen(&caller, &policy(), hidden.0, hidden.1.clone()).await;
        let unknown_seen = seen(&caller, &policy(), unknown.0, unknown.1).await;
        assert_eq!(hidden_seen.replace("secret", "unseen"), unknown_seen);
        assert!(hidden_seen.starts_with("200 OK"), "{hidden_seen}");
        assert!(!hidden_seen.contains("www-authenticate"), "{hidden_seen}");
        let answer = caller.call(&policy(), hidden.0, hidden.1).await;
        assert_eq!(answer.reached, 0);
    }
}

#[tokio::test]
async fn ta_12_those_who_may_see_it_reach_it_and_others_rules_answer_as_ever() {
    let admin = Caller::user(&["admin"], &["secrets"]);
    assert_eq!(admin.tool(&policy(), "secret_1").await.reached, 1);
    assert_eq!(
        key(&["secret_1"]).tool(&policy(), "secret_1").await.reached,
        1
    );
    let nobody = Caller::user(&[], &[]);
    assert_eq!(nobody.tool(&policy(), "open_1").await.status(), 403);
    assert_eq!(key(&["x"]).tool(&policy(), "open_1").await.status(), 403);
    let viewer = Caller::user(&["viewer"], &[]);
    let answer = viewer.tool(&policy(), "open_edit").await;
    assert_eq!(answer.denial().kind(), DenialKind::ScopeInsufficient);
    // What could be read in two ways is refused as ever, whatever it may name.
    let uri = json!({"uri": "file:///secret/../x"});
    let answer = viewer.call(&policy(), "resources/read", uri).await;
    assert_eq!(answer.status(), 403);
    // Without a hidden rule for tools an uncovered one is refused.
    let plain = Policy::builder()
        .rule(Rule::prompt("p").anyone().hidden())
        .build();
    let plain = Arc::new(plain.unwrap());
    assert_eq!(viewer.tool(&plain, "x").await.status(), 403);
}

#[tokio::test]
async fn ta_6_ta_12_the_code_is_that_of_the_revision_and_names_are_escaped() {
    let viewer = Caller::user(&["viewer"], &[]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let modern = |method: &'static str, name: &'static str, params: Value| {
        let mut request = post(method, params);
        let headers = request.headers_mut();
        headers.insert("mcp-protocol-version", "2026-07-28".parse().unwrap());
        headers.insert("mcp-method", method.parse().unwrap());
        headers.insert("mcp-name", name.parse().unwrap());
        request
    };
    let uri = "file:///secret/a";
    for (request, error) in [
        (
            post("tools/call", json!({"name": "x"})),
            json!({"code": -32602, "message": "tool not found"}),
        ),
        (
            post("prompts/get", json!({"name": "a\"\n\u{2028}"})),
            json!({"code": -32602, "message": "prompt 'a\"\n\u{2028}' not found"}),
        ),
        (
            post("resources/read", json!({ "uri": uri })),
            json!({"code": -32002, "message": "Resource not found", "data": {"uri": uri}}),
        ),
        (
            modern("resources/read", uri, json!({"uri": uri, "_meta": meta})),
            json!({"code": -32602, "message": "Resource not found", "data": {"uri": uri}}),
        ),
        (
            modern("tools/call", "x", json!({"name": "x", "_meta": meta})),
            json!({"code": -32602, "message": "tool not found"}),
        ),
    ] {
        let answer = viewer.ask(&policy(), request).await;
        let body = answer
            .response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        let expected = json!({"jsonrpc": "2.0", "id": 1, "error": error});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
}

#[tokio::test]
async fn ta_12_a_notification_is_accepted_and_goes_nowhere() {
    for name in ["secret_1", "unseen_1"] {
        let body = json!({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": name}});
        let answer = Caller::user(&["viewer"], &[])
            .ask(&policy(), raw(body.to_string()))
            .await;
        assert_eq!((answer.status().as_u16(), answer.reached), (202, 0));
        assert_eq!(answer.text().await, "{} ");
    }
}

#[tokio::test]
async fn ta_12_records_tell_what_the_caller_is_not_told() {
    let answer = Caller::user(&["admin"], &[])
        .tool(&policy(), "secret_1")
        .await;
    let finding = answer.finding();
    assert_eq!(finding.kind, "forbidden");
    let reason = "policy `test`: rule `tool:secret_*` lacks scope `secrets`; scopes `secrets` \
                  needed, `` held; answered as unknown";
    assert_eq!(finding.reason, reason);
    let answer = Caller::user(&["admin"], &[]).tool(&policy(), "x").await;
    let reason = "policy `test`: no rule covers `tools/call` of `x`; answered as unknown";
    assert_eq!(answer.finding().reason, reason);
}

/// A rule that is not hidden covers names that do not exist as well, and what it says of them, it says of hidden ones.
#[tokio::test]
async fn ta_12_rules_that_are_not_hidden_answer_for_hidden_names_as_for_others() {
    for wide in [
        Rule::tool("*").scope("call"),
        Rule::tool("*").role("developer"),
        Rule::tool("*").identified(),
        Rule::method("tools/call").scope("call"),
        Rule::tool("*").deny(),
    ] {
        let policy = Policy::enterprise()
            .rule(
                Rule::tool("secret_*")
                    .role("admin")
                    .scope("secrets")
                    .hidden(),
            )
            .rule(Rule::tool("secret_1").scope("more").hidden())
            .rule(wide.clone())
            .build();
        let policy = Arc::new(policy.unwrap());
        for caller in [
            Caller::anonymous(),
            Caller::user(&[], &["more"]),
            Caller::user(&["developer"], &["secrets"]),
            Caller::user(&["viewer"], &["call", "more"]),
            key(&["open_*"]),
        ] {
            let hidden = caller.tool(&policy, "secret_1").await;
            let unknown = caller.tool(&policy, "unseen_1").await;
            assert_eq!(hidden.reached, 0);
            // Here the server would answer.
            if unknown.reached == 0 {
                let (status, kind) = (unknown.status(), unknown.denial().kind());
                assert_eq!(
                    (hidden.status(), hidden.denial().kind()),
                    (status, kind),
                    "{wide:?}"
                );
                assert_eq!(hidden.text().await, unknown.text().await, "{wide:?}");
            } else {
                assert_eq!(hidden.status(), 200, "{wide:?}");
                assert!(hidden.text().await.contains("tool not found"));
            }
        }
    }
}

#[tokio::test]
async fn ta_2_ta_12_lists_show_nothing_hidden_even_if_only_scopes_are_missing() {
    let policy = Policy::enterprise()
        .rule(Rule::tool("*").role("viewer").scope("call"))
        .rule(Rule::tool("secret_*").scope("secrets").hidden())
        .build();
    let policy = Arc::new(policy.unwrap());
    for (scopes, shown) in [
        (&[][..], &["open_1"][..]),
        (&["call"], &["open_1"]),
        (&["secrets"], &["open_1", "secret_1"]),
    ] {
        let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [
                {"name": "open_1"}, {"name": "secret_1"},
            ]}});
            let answer = Response::builder().header("content-type", "application/json");
            let answer = answer.body(Full::new(Bytes::from(list.to_string())));
            Ok::<_, Infallible>(answer.unwrap())
        });
        let mut request = post("tools/list", json!({}));
        let viewer = Caller::user(&["viewer"], scopes).principal.unwrap();
        SecurityContext::of(&mut request)
            .set_principal(viewer)
            .unwrap();
        let service = RbacLayer::new(Arc::clone(&policy)).layer(inner);
        let answer = service.oneshot(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let listed = body["result"]["tools"].as_array().unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, shown, "{scopes:?}");
    }
}

#[tokio::test]
async fn ta_12_a_stream_that_listens_to_something_hidden_is_refused_as_one_to_what_nothing_covers()
{
    let policy = policy();
    let listen = |uri: &str| json!({"notifications": {"resourceSubscriptions": [uri]}});
    for caller in [
        Caller::user(&["viewer"], &[]),
        Caller::user(&["developer"], &["x"]),
    ] {
        let of = |uri| seen(&caller, &policy, "subscriptions/listen", listen(uri));
        let (hidden, unknown) = (of("file:///secret/a").await, of("file:///unseen/a").await);
        assert_eq!(hidden, unknown);
        assert!(hidden.starts_with("403"), "{hidden}");
    }
    let admin = Caller::user(&["admin"], &[]);
    let secret = listen("file:///secret/a");
    let answer = admin.call(&policy, "subscriptions/listen", secret).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn operators_are_told_by_what_a_hidden_answer_was_decided() {
    let layer = RbacLayer::new(policy())
        .decision_header("x-why", "admin")
        .unwrap();
    let layer = layer.unknown_as(UnknownAnswer::events());
    for (role, told) in [("admin", true), ("viewer", false)] {
        let mut request = post("tools/call", json!({"name": "secret_1"}));
        let caller = Caller::user(&[role], &[]).principal.unwrap();
        SecurityContext::of(&mut request)
            .set_principal(caller)
            .unwrap();
        let inner = service_fn(|_: Request<RequestBody<Full<Bytes>>>| async {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let answer = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers().contains_key("x-why"), told);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let event = concat!(
            r#"data: {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"tool not found"}}"#,
            "\n\n"
        );
        assert_eq!(body, event);
    }
}

#[test]
fn a_hidden_refusal_is_a_decision_of_its_own_and_of_names_only() {
    let viewer = Caller::user(&["viewer"], &[]).principal.unwrap();
    let decided = policy().decide(Some(&viewer), &Operation::tool("secret_1"));
    assert_eq!((decided, decided.name()), (Decision::Unknown, "unknown"));
    for rule in [
        Rule::method("x"),
        Rule::stream(),
        Rule::end_session(),
        Rule::response(),
    ] {
        let error = Policy::builder()
            .rule(rule.anyone().hidden())
            .build()
            .unwrap_err();
        assert!(
            error.to_string().contains("hides what is no tool"),
            "{error}"
        );
    }
}

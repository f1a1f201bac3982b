//! Approvals over HTTP.

use bartizan_core::{CredentialLimits, Principal, SecurityContext};
use bartizan_kit::Frames;
use bartizan_rbac::ApprovalService;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::approvals::{Stage, ann, bob, user};

async fn ask(
    stage: &Stage,
    who: Option<&Principal>,
    (method, path, body): (&str, &str, &str),
) -> (u16, Value, HeaderMap) {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let mut request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    if let Some(who) = who {
        context.set_principal(who.clone()).unwrap();
        let line = HeaderValue::from_static("Bearer realm=\"r\"");
        context.offer_challenges([line].into());
    }
    let service = ApprovalService::new(stage.approvals.clone());
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(context.trail().unwrap().findings().len(), 1);
    // An authentication layer gives no answer to a limited credential where nobody did.
    let is_limited = who.is_some_and(|who| !who.limits().is_empty());
    assert!(!is_limited || context.limits_are_judged());
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    assert_eq!(headers["cache-control"], "no-store");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap(), headers)
}

const APPROVE: &str = r#"{"decision":"approve"}"#;

#[tokio::test]
async fn an_approver_sees_what_waits_and_approves_it() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id().to_string();
    let (status, list, _) = ask(&stage, Some(&bob()), ("GET", "/approvals", "")).await;
    assert_eq!(status, 200);
    let expected = json!({"approvals": [{
        "id": id,
        "asker": {"kind": "user", "issuer": "https://auth.example.com", "subject": "ann", "client": "agent"},
        "method": "tools/call",
        "name": "delete_note",
        "params": {"name": "delete_note", "arguments": {"id": 7}},
        "asked_at": 1_800_000_000,
        "expires_in": 600,
    }]});
    assert_eq!(list, expected);
    let path = format!("/approvals/{id}");
    let (status, said, _) = ask(&stage, Some(&bob()), ("POST", &path, APPROVE)).await;
    assert_eq!(
        (status, said),
        (200, json!({"id": id, "decision": "approve"}))
    );
    assert_eq!(stage.ask(&ann(), "delete_note").await.status, 200);
    let (_, list, _) = ask(&stage, Some(&bob()), ("GET", "/", "")).await;
    assert_eq!(list, json!({"approvals": []}));
}

#[tokio::test]
async fn a_limited_credential_decides_what_it_is_good_for_and_is_answered() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    let path = format!("/approvals/{id}");
    let limited = |tools: &str| {
        let limits = CredentialLimits::new().with_tools([tools]).unwrap();
        let bob = Principal::user(bob().issuer(), "bob").roles(["admin"]);
        bob.limits(limits).build("apikey")
    };
    for (tools, listed, status) in [("read_*", 0, 404), ("delete_*", 1, 200)] {
        let bob = limited(tools);
        let (_, list, _) = ask(&stage, Some(&bob), ("GET", "/approvals", "")).await;
        assert_eq!(list["approvals"].as_array().unwrap().len(), listed);
        let (said, ..) = ask(&stage, Some(&bob), ("POST", &path, APPROVE)).await;
        assert_eq!(said, status, "{tools}");
    }
    assert_eq!(stage.ask(&ann(), "delete_note").await.status, 200);
}

#[tokio::test]
async fn what_is_unknown_and_what_is_not_ones_to_decide_are_answered_with_the_same_bytes() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "wipe").await.id();
    let (known, unknown) = (format!("/{id}"), format!("/{}", "0".repeat(32)));
    let (_, expected, _) = ask(&stage, Some(&bob()), ("POST", &unknown, APPROVE)).await;
    assert_eq!(expected["error"]["message"], "approval not found");
    for who in [ann(), bob(), user("zoe", &[]), user("ann", &["guard"])] {
        let (status, said, _) = ask(&stage, Some(&who), ("POST", &known, APPROVE)).await;
        assert_eq!((status, &said), (404, &expected), "{who:?}");
        let (_, list, _) = ask(&stage, Some(&who), ("GET", "/", "")).await;
        assert_eq!(list, json!({"approvals": []}), "{who:?}");
    }
    let guard = user("zoe", &["guard"]);
    let deny = r#"{"decision":"deny"}"#;
    let (status, ..) = ask(&stage, Some(&guard), ("POST", &known, deny)).await;
    assert_eq!(status, 200);
    let (status, said, _) = ask(&stage, Some(&guard), ("POST", &known, APPROVE)).await;
    assert_eq!((status, &said), (404, &expected), "it is decided");
}

#[tokio::test]
async fn nobody_in_particular_is_asked_who_they_are() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    for request in [
        ("GET", "/", ""),
        ("POST", &*format!("/{id}"), APPROVE),
        ("PUT", "/", ""),
    ] {
        let anonymous = Principal::anonymous();
        let (status, _, headers) = ask(&stage, Some(&anonymous), request).await;
        assert_eq!(
            (status, headers.contains_key("www-authenticate")),
            (401, true)
        );
        let (status, _, headers) = ask(&stage, None, request).await;
        assert_eq!(
            (status, headers.contains_key("www-authenticate")),
            (403, false)
        );
    }
    assert_eq!(stage.approvals.pending().len(), 1);
}

#[tokio::test]
async fn what_is_no_decision_decides_nothing() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    let path = format!("/approvals/{id}");
    let long = format!(r#"{{"decision":"approve"{}}}"#, " ".repeat(1024));
    for (request, expected) in [
        (("POST", &*path, "{}"), 400),
        (
            ("POST", &path, r#"{"decision":"approve","decision":"deny"}"#),
            400,
        ),
        (("POST", &path, &long), 413),
        (("POST", "/approvals", APPROVE), 404),
        (("POST", &format!("{path}/"), APPROVE), 404),
        (("POST", &path.to_uppercase(), APPROVE), 404),
        (("GET", &path, ""), 404),
        (("PUT", &path, APPROVE), 405),
        (("DELETE", &path, ""), 405),
    ] {
        let (status, _, headers) = ask(&stage, Some(&bob()), request).await;
        assert_eq!(status, expected, "{request:?}");
        assert_eq!(headers.contains_key("allow"), expected == 405);
    }
    assert_eq!(stage.approvals.pending().len(), 1);
}

/// A form of another site could send these, and a browser would ask nobody before.
#[tokio::test]
async fn oh_2_what_a_form_can_send_decides_nothing() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json, text/plain",
        "",
    ] {
        let request = Request::post(format!("/{id}")).header("content-type", media);
        let mut request = request.body(Full::<Bytes>::from(APPROVE)).unwrap();
        SecurityContext::of(&mut request)
            .set_principal(bob())
            .unwrap();
        let service = ApprovalService::new(stage.approvals.clone());
        assert_eq!(
            service.oneshot(request).await.unwrap().status(),
            415,
            "{media}"
        );
    }
    assert_eq!(stage.approvals.pending().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_without_end() {
    let stage = Stage::new();
    let id = stage.ask(&ann(), "delete_note").await.id();
    let (sender, body) = Frames::channel();
    let request = Request::post(format!("/{id}")).header("content-type", "application/json");
    let mut request = request.body(body).unwrap();
    SecurityContext::of(&mut request)
        .set_principal(bob())
        .unwrap();
    sender.data("{");
    let service = ApprovalService::new(stage.approvals.clone());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 408);
}

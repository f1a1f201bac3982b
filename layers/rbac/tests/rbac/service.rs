use std::{convert::Infallible, sync::Arc};

use bartizan_core::{CallLimits, DenialKind, Principal, RequestBody, SecurityContext};
use bartizan_rbac::RbacLayer;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, notes, post, raw};

#[tokio::test]
async fn n_10_n_11_n_12_ta_4_alone_the_layer_reads_the_body_and_lying_headers_are_refused() {
    let admin = Caller::user(&["admin"], &[]);
    let with = |version: &str, headers: &[(&'static str, &'static str)]| {
        let mut request = post("tools/call", json!({"name": "delete_note"}));
        request
            .headers_mut()
            .insert("mcp-protocol-version", version.parse().unwrap());
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        request
    };
    let truth = with(
        "2025-11-25",
        &[("mcp-method", "tools/call"), ("mcp-name", "delete_note")],
    );
    assert_eq!(admin.ask(&notes(), truth).await.status(), 200);
    for lie in [("mcp-name", "read_note"), ("mcp-method", "tools/list")] {
        for version in ["2025-03-26", "2025-11-25"] {
            let answer = admin.ask(&notes(), with(version, &[lie])).await;
            assert_eq!(
                (answer.status(), answer.reached),
                (StatusCode::BAD_REQUEST, 0),
                "{lie:?}"
            );
            assert_eq!(answer.denial().kind(), DenialKind::HeaderMismatch);
        }
    }
    for body in [
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"status","name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"status","Name":"x"}}"#,
        "not json",
        "",
    ] {
        let answer = admin.ask(&notes(), raw(body)).await;
        assert_eq!(
            (answer.status(), answer.reached),
            (StatusCode::BAD_REQUEST, 0),
            "{body}"
        );
    }
}

#[tokio::test]
async fn handlers_ask_the_policy_that_judged_and_a_second_policy_is_500() {
    let policy = notes();
    let handler = service_fn(|mut request: Request<_>| async move {
        let _: &RequestBody<RequestBody<Full<Bytes>>> = request.body();
        let context = SecurityContext::of(&mut request);
        let permissions = context.permissions().unwrap();
        let principal = context.principal().unwrap();
        assert!(permissions.has_role(principal, "viewer"));
        assert!(permissions.has_capability(principal, "reports:read"));
        assert!(!permissions.has_role(principal, "admin"));
        assert!(!permissions.has_capability(principal, "releases:deploy"));
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let request = || {
        let mut request = post("ping", json!({}));
        let context = SecurityContext::of(&mut request);
        let analyst = Caller::user(&["analyst"], &[]).principal.unwrap();
        context.set_principal(analyst).unwrap();
        request
    };
    let inner = RbacLayer::new(Arc::clone(&policy)).layer(handler);
    let twice = RbacLayer::new(Arc::clone(&policy)).layer(inner);
    assert_eq!(
        twice.clone().oneshot(request()).await.unwrap().status(),
        200
    );
    let contradicted = RbacLayer::new(notes()).layer(twice.into_inner());
    let answer = contradicted.oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), 500);
}

#[tokio::test]
async fn iv_6_call_limits_are_those_that_were_set() {
    let limits = CallLimits::new().with_body_bytes(64).unwrap();
    let (service, mut handle) = tower_test::mock::spawn_layer::<
        Request<RequestBody<Full<Bytes>>>,
        Response<Full<Bytes>>,
        _,
    >(RbacLayer::new(notes()).call_limits(limits));
    handle.allow(1);
    let request = post("ping", json!({"padding": "x".repeat(64)}));
    let response = service.into_inner().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn an_error_of_the_inner_service_passes_untouched() {
    let (service, mut handle) = tower_test::mock::spawn_layer::<
        Request<RequestBody<Full<Bytes>>>,
        Response<Full<Bytes>>,
        _,
    >(RbacLayer::new(notes()));
    let mut request = post("ping", json!({}));
    let context = SecurityContext::of(&mut request);
    context.set_principal(Principal::anonymous()).unwrap();
    let answering = async {
        let (request, answer) = handle.next_request().await.unwrap();
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        assert!(sent.starts_with(b"{"), "the body goes on");
        answer.send_error("down");
    };
    let (response, ()) = tokio::join!(service.into_inner().oneshot(request), answering);
    assert_eq!(response.unwrap_err().to_string(), "down");
}

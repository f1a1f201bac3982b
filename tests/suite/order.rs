//! The outermost layer that has a reason to refuse is the one that does.

use bartizan::{Denial, DenialKind};
use bartizan_kit::{McpRequest, Revision, call_tool};
use serde_json::json;
use tower::ServiceExt;

use crate::server::{ALLOWED_ORIGIN, guarded};

fn call() -> McpRequest {
    call_tool(Revision::V2026_07_28, "whoami", json!({}))
}

/// A request with a fault for every layer, and then one fault fewer each time.
#[tokio::test]
async fn faults_are_told_from_the_outermost_layer_inwards() {
    let (app, token) = guarded();
    let (evil_host, evil_origin) = ("evil.example", "https://evil.example");
    for (request, kind) in [
        (
            call()
                .host(evil_host)
                .origin(evil_origin)
                .bearer("abc")
                .body("{"),
            Some(DenialKind::HostRefused),
        ),
        (
            call()
                .host("localhost")
                .origin(evil_origin)
                .bearer("abc")
                .body("{"),
            Some(DenialKind::OriginRefused),
        ),
        (
            call()
                .host("localhost")
                .origin(ALLOWED_ORIGIN)
                .bearer("abc")
                .body("{"),
            Some(DenialKind::CredentialsInvalid),
        ),
        (
            call()
                .host("localhost")
                .origin(ALLOWED_ORIGIN)
                .bearer(&token)
                .body("{"),
            Some(DenialKind::JsonMalformed),
        ),
        (
            call()
                .host("localhost")
                .origin(ALLOWED_ORIGIN)
                .bearer(&token),
            None,
        ),
    ] {
        let response = app.clone().oneshot(request.build_axum()).await.unwrap();
        let refused = response.extensions().get::<Denial>().map(Denial::kind);
        assert_eq!(refused, kind);
        assert!(response.headers().contains_key("content-security-policy"));
        assert_eq!(
            response
                .headers()
                .contains_key("access-control-allow-origin"),
            !matches!(
                kind,
                Some(DenialKind::HostRefused | DenialKind::OriginRefused)
            ),
            "OH-8"
        );
    }
}

#[tokio::test]
async fn a_preflight_meets_the_host_check_and_not_the_token_check() {
    let (app, _) = guarded();
    for (host, status) in [("localhost", 204), ("evil.example", 403)] {
        let request = McpRequest::new(http::Method::OPTIONS)
            .host(host)
            .origin(ALLOWED_ORIGIN)
            .header("access-control-request-method", "POST");
        let response = app.clone().oneshot(request.build_axum()).await.unwrap();
        assert_eq!(response.status(), status);
    }
}

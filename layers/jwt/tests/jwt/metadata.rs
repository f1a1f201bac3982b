use bartizan_jwt::MetadataService;
use serde_json::{Value, json};

use super::*;

fn verifier() -> JwtVerifier {
    builder(&clock())
        .scopes_supported(["tools:call"])
        .resource_name("Example")
        .build()
        .unwrap()
}

async fn ask(service: MetadataService, method: &str, path: &str) -> Response<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("host", "evil.example").body(()).unwrap();
    service.oneshot(request).await.unwrap()
}

async fn json_of(response: Response<Full<Bytes>>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn md_1_the_document_names_resource_and_issuer_and_omits_what_has_no_value() {
    let verifier = verifier();
    let metadata = verifier.metadata();
    assert_eq!(metadata.path(), "/.well-known/oauth-protected-resource/mcp");
    let response = ask(metadata.service(), "GET", metadata.path()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(
        json_of(response).await,
        json!({
            "resource": U,
            "authorization_servers": [I],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["tools:call"],
            "resource_name": "Example",
        })
    );
    let bare = builder(&clock()).build().unwrap();
    let document: Value = serde_json::from_slice(bare.metadata().json()).unwrap();
    assert_eq!(document.as_object().unwrap().len(), 3);
}

#[tokio::test]
async fn md_4_the_host_of_a_request_has_no_part_in_the_document() {
    let verifier = verifier();
    let metadata = verifier.metadata();
    let response = ask(metadata.service(), "GET", metadata.path()).await;
    assert!(!json_of(response).await.to_string().contains("evil"));
}

#[tokio::test]
async fn md_7_get_and_head_and_preflight_are_answered_and_nothing_else() {
    let verifier = verifier();
    let (service, path) = (verifier.metadata().service(), verifier.metadata().path());
    for method in ["GET", "HEAD"] {
        let response = ask(service.clone(), method, path).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        assert_eq!(response.headers()["cache-control"], "public, max-age=3600");
    }
    let preflight = ask(service.clone(), "OPTIONS", path).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(preflight.headers()["access-control-allow-headers"], "*");
    for method in ["POST", "DELETE", "PUT", "TRACE"] {
        let response = ask(service.clone(), method, path).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
    }
}

#[tokio::test]
async fn tr_7_the_root_form_is_served_only_for_a_resource_at_the_root() {
    for (resource, root) in [
        (U, StatusCode::NOT_FOUND),
        ("https://mcp.example.com", StatusCode::OK),
    ] {
        let verifier = builder(&clock()).resource(resource).build().unwrap();
        let service = verifier.metadata().service();
        let response = ask(
            service.clone(),
            "GET",
            "/.well-known/oauth-protected-resource",
        )
        .await;
        assert_eq!(response.status(), root);
        for unknown in [
            "/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server",
            "/",
            "/.well-known/oauth-protected-resource/mcp/",
        ] {
            assert_eq!(
                ask(service.clone(), "GET", unknown).await.status(),
                StatusCode::NOT_FOUND
            );
        }
    }
}

#[tokio::test]
#[cfg(feature = "axum")]
async fn ac_11_the_router_stands_outside_of_the_layer_and_unknown_documents_are_404() {
    use axum::{Router, body::Body, routing::post};
    let verifier = verifier();
    let app: Router = Router::new()
        .route("/mcp", post(|| async { "called" }))
        .layer(JwtLayer::new(verifier.clone()))
        .merge(verifier.metadata_router());
    for (method, path, status) in [
        ("POST", "/mcp", 401),
        ("GET", "/.well-known/oauth-protected-resource/mcp", 200),
        ("HEAD", "/.well-known/oauth-protected-resource/mcp", 200),
        ("GET", "/.well-known/oauth-protected-resource", 404),
        ("GET", "/.well-known/openid-configuration", 404),
        ("GET", "/.well-known/oauth-authorization-server", 404), // MD-9
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}

#[test]
fn md_5_wildcards_and_offline_access_are_not_published() {
    for scope in ["*", "tools:*", "offline_access", "", "a b", "a\"b"] {
        assert!(
            builder(&clock()).scopes_supported([scope]).build().is_err(),
            "{scope}"
        );
        assert!(
            builder(&clock()).challenge_scopes([scope]).build().is_err(),
            "{scope}"
        );
    }
}

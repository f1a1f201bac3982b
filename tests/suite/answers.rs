//! What goes over the wire: a yes and a no of each layer, at the real server.

use bartizan_kit::{McpRequest, Revision, call_tool, delete_session, get_stream, post};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::server::{ALLOWED_ORIGIN, Mode, Server};

pub(crate) async fn send(server: &Server, request: McpRequest) -> Response {
    let request = request.build();
    let (parts, body) = request.into_parts();
    let body = http_body_util::BodyExt::collect(body)
        .await
        .unwrap()
        .to_bytes();
    let mut headers = parts.headers;
    // The kit's requests name a host for servers that are not there.
    if headers
        .get("host")
        .is_some_and(|host| host != "evil.example")
    {
        headers.remove("host");
    }
    Client::new()
        .request(parts.method, &server.url)
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap()
}

fn whoami() -> McpRequest {
    call_tool(Revision::V2025_11_25, "whoami", json!({}))
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn ac_1_no_token_is_401_with_a_parseable_challenge_and_no_error() {
    let server = Server::start(Mode::Json).await;
    for request in [
        whoami(),
        get_stream(Revision::V2025_11_25),
        delete_session(Revision::V2025_11_25, "abc"),
        call_tool(Revision::V2026_07_28, "whoami", json!({})),
    ] {
        let response = send(&server, request).await;
        assert_eq!(response.status(), 401);
        let challenge = header(&response, "www-authenticate");
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(!challenge.contains("error"), "{challenge}");
        let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
        let (url, _) = rest.split_once('"').unwrap();
        let metadata: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(metadata["resource"], server.url, "MD-3");
        assert_eq!(
            metadata["authorization_servers"],
            json!([server.issuer.url(), server.partner.url()])
        );
    }
}

#[tokio::test]
async fn ac_5_expired_foreign_and_wrong_audience_tokens_are_401_invalid_token() {
    let server = Server::start(Mode::Json).await;
    let foreign = server.issuer.mint().impostor();
    for token in [
        server.token("ann").expires_in(-3600).encode(),
        server
            .token("ann")
            .aud("https://other.example/mcp")
            .encode(),
        foreign.token().aud(server.url.as_str()).encode(),
    ] {
        let response = send(&server, whoami().bearer(&token)).await;
        assert_eq!(response.status(), 401);
        assert!(header(&response, "www-authenticate").contains("error=\"invalid_token\""));
        let body = response.text().await.unwrap();
        assert!(!body.contains(&token[..20]));
    }
}

#[tokio::test]
async fn a_good_token_is_200_in_every_revision() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    for revision in [
        Revision::V2025_03_26,
        Revision::V2025_06_18,
        Revision::V2025_11_25,
        Revision::V2026_07_28,
    ] {
        let request = call_tool(revision, "whoami", json!({})).bearer(&token);
        let response = send(&server, request).await;
        assert_eq!(response.status(), 200, "{revision:?}");
        assert!(response.text().await.unwrap().contains("ann of"));
    }
}

#[tokio::test]
async fn tv_1_a_bad_token_wins_over_a_bad_body() {
    let server = Server::start(Mode::Json).await;
    let response = send(&server, whoami().bearer("abc").body("{broken")).await;
    assert_eq!(response.status(), 401);
    let token = server.token("ann").encode();
    let response = send(&server, whoami().bearer(token).body("{broken")).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn oh_1_an_evil_origin_is_403_with_and_without_a_token() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    for request in [
        whoami(),
        whoami().bearer(&token),
        get_stream(Revision::V2025_11_25),
        delete_session(Revision::V2025_11_25, "abc"),
    ] {
        let response = send(&server, request.origin("https://evil.example")).await;
        assert_eq!(response.status(), 403);
        assert!(
            !response
                .headers()
                .contains_key("access-control-allow-origin")
        );
        assert!(!response.headers().contains_key("www-authenticate"));
    }
    let response = send(&server, whoami().bearer(&token).origin(ALLOWED_ORIGIN)).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn oh_3_an_evil_host_is_403() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    let response = send(&server, whoami().bearer(token).host("evil.example")).await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn ac_11_a_browser_preflight_with_every_mcp_header_passes_without_a_token() {
    let server = Server::start(Mode::Json).await;
    let names = "accept,authorization,baggage,content-type,dpop,last-event-id,mcp-method,mcp-name,\
                 mcp-param-region,mcp-protocol-version,mcp-session-id,traceparent,tracestate";
    let response = Client::new()
        .request(Method::OPTIONS, &server.url)
        .header("origin", ALLOWED_ORIGIN)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", names)
        .send()
        .await
        .unwrap();
    assert!(response.status().is_success());
    assert_eq!(
        header(&response, "access-control-allow-origin"),
        ALLOWED_ORIGIN
    );
    let granted = header(&response, "access-control-allow-headers").to_lowercase();
    for name in names.split(',').map(str::trim) {
        assert!(granted.contains(name), "{name} is not in {granted}");
    }
}

#[tokio::test]
async fn oh_8_a_401_is_readable_to_an_allowed_browser_origin() {
    let server = Server::start(Mode::Json).await;
    let response = send(&server, whoami().origin(ALLOWED_ORIGIN)).await;
    assert_eq!(response.status(), 401);
    assert_eq!(
        header(&response, "access-control-allow-origin"),
        ALLOWED_ORIGIN
    );
    let exposed = header(&response, "access-control-expose-headers").to_lowercase();
    assert!(exposed.contains("www-authenticate"));
}

#[tokio::test]
async fn ac_11_unknown_well_known_paths_are_404() {
    let server = Server::start(Mode::Json).await;
    for path in ["openid-configuration", "oauth-authorization-server"] {
        let url = format!("{}/.well-known/{path}", server.origin());
        assert_eq!(reqwest::get(url).await.unwrap().status(), 404);
    }
}

#[tokio::test]
async fn sh_1_security_headers_are_on_every_answer() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    for (request, status) in [
        (whoami().bearer(&token), 200),
        (whoami(), 401),
        (whoami().origin("https://evil.example"), 403),
        (whoami().bearer(&token).body("[]"), 400),
    ] {
        let response = send(&server, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert!(response.headers().contains_key("content-security-policy"));
        assert!(
            !response.headers().contains_key("strict-transport-security"),
            "plain HTTP"
        );
    }
}

#[tokio::test]
async fn ta_4_ambiguous_and_lying_calls_do_not_reach_the_tool() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"wait"}}"#;
    for (request, code) in [
        (whoami().body(twice), -32600),
        (whoami().body(format!("[{twice}]")), -32600),
        (whoami().header("mcp-name", "other"), -32020),
        (
            whoami().header("mcp-protocol-version", "1900-01-01"),
            -32022,
        ),
    ] {
        let response = send(&server, request.bearer(&token)).await;
        assert_eq!(response.status(), 400);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
    }
}

#[tokio::test]
async fn seed_z1_identity_comes_from_the_token_and_never_from_arguments() {
    let server = Server::start(Mode::Json).await;
    let token = server
        .token("ann")
        .claim("roles", json!(["viewer"]))
        .encode();
    let forged = json!({"user_context": {"role": "admin", "user_id": "root"}, "role": "admin"});
    let request = call_tool(Revision::V2025_11_25, "whoami", forged).bearer(token);
    let text = send(&server, request).await.text().await.unwrap();
    assert!(
        text.contains("ann of") && text.contains("as viewer"),
        "{text}"
    );
}

#[tokio::test]
async fn seed_z4_several_roles_in_a_list_reach_the_tool() {
    let server = Server::start(Mode::Json).await;
    let roles = json!(["developer", "viewer"]);
    let token = server.token("ann").claim("roles", roles).encode();
    let text = send(&server, whoami().bearer(token))
        .await
        .text()
        .await
        .unwrap();
    assert!(text.contains("as developer+viewer"), "{text}");
}

/// A refusal is an HTTP status that clients act on, never a result that a model reads.
#[tokio::test]
async fn seed_a12_refusals_are_http_statuses_and_not_tool_results() {
    let server = Server::start(Mode::Json).await;
    for (request, status) in [
        (whoami(), 401),
        (whoami().bearer("abc"), 401),
        (whoami().origin("https://evil.example"), 403),
    ] {
        let response = send(&server, request).await;
        assert_eq!(response.status(), status);
        let body: Value = response.json().await.unwrap();
        assert!(body.get("result").is_none(), "TR-14: {body}");
    }
}

/// A handler behind axum; a tool of rmcp's runs in a task of its own, where no layer sees it panic.
#[tokio::test]
async fn sh_4_a_crashing_handler_is_a_500_that_leaks_nothing() {
    async fn crash() -> &'static str {
        panic!("the database password is hunter2")
    }
    let app = axum::Router::new()
        .route("/mcp", axum::routing::post(crash))
        .layer(bartizan::SecurityHeadersLayer::mcp());
    let response = tower::ServiceExt::oneshot(app, whoami().build_axum());
    let response = response.await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.headers().contains_key("content-security-policy"));
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    let body: Value = serde_json::from_slice(&body.unwrap().to_bytes()).unwrap();
    assert!(!body.to_string().contains("hunter2"), "{body}");
    assert!(body["error"]["data"]["correlationId"].is_string());
}

/// The shape of an app without rmcp: a plain route under `route_layer`.
#[tokio::test]
async fn ac_11_a_preflight_of_a_post_only_route_passes() {
    let cors = bartizan::CorsLayer::new().allow_origin(ALLOWED_ORIGIN);
    let app = axum::Router::new()
        .route("/mcp", axum::routing::post(|| async { "called" }))
        .route_layer(cors.unwrap());
    let preflight = McpRequest::new(http::Method::OPTIONS)
        .origin(ALLOWED_ORIGIN)
        .header("access-control-request-method", "POST");
    let response = tower::ServiceExt::oneshot(app, preflight.build_axum());
    assert_eq!(response.await.unwrap().status(), 204);
}

#[tokio::test]
async fn n_4_the_inner_services_own_refusals_keep_their_status() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    let request = post(Revision::V2026_07_28, "nope/x", json!({})).bearer(token);
    let response = send(&server, request).await;
    assert_eq!(response.status(), 404);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], -32601);
}

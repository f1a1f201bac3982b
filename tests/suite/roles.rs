//! Who may do what, at the real server.

use axum::{Router, routing};
use bartizan::{
    AuditLayer, CallLayer, Caller, CallerRejection, Need, Principal, RbacLayer,
    audit::Records,
    identify,
    rbac::{Policy, Preset, Rule},
};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt};

use crate::{
    answers::send,
    server::{Mode, Server},
};

fn delete() -> McpRequest {
    call_tool(Revision::V2025_11_25, "delete", json!({}))
}

fn token(server: &Server, role: &str) -> String {
    let token = server.token("vera").claim("roles", json!([role]));
    token.encode()
}

#[tokio::test]
async fn sc_5_a_viewer_is_refused_a_destructive_tool_without_a_challenge_and_an_admin_is_not() {
    let server = Server::start(Mode::Json).await;
    let response = send(&server, delete().bearer(token(&server, "viewer"))).await;
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("www-authenticate"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["message"], "not permitted");
    let response = send(&server, delete().bearer(token(&server, "admin"))).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("deleted"));
}

#[tokio::test]
async fn sc_1_sc_2_a_scope_that_would_help_is_asked_for_with_the_metadata() {
    let server = Server::start(Mode::Json).await;
    let report = || call_tool(Revision::V2026_07_28, "report", json!({}));
    let response = send(&server, report().bearer(token(&server, "viewer"))).await;
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    let metadata = format!(
        "{}/.well-known/oauth-protected-resource/mcp",
        server.origin()
    );
    assert_eq!(
        challenge,
        format!(
            r#"Bearer error="insufficient_scope", scope="reports.read", resource_metadata="{metadata}""#
        )
    );
    let scoped = server.token("vera").claim("roles", json!(["viewer"]));
    let scoped = scoped.claim("scope", json!("reports.read")).encode();
    assert_eq!(send(&server, report().bearer(scoped)).await.status(), 200);
    let unhelped = server.token("vera").claim("roles", json!(["nobody"]));
    let response = send(&server, report().bearer(unhelped.encode())).await;
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("www-authenticate"), "SC-5");
}

/// Where rmcp answers in streams, whose status is sent before the tool runs.
#[tokio::test]
async fn sc_6_too_few_scopes_are_403_before_a_stream_begins() {
    let server = Server::start(Mode::Streams).await;
    let report = || call_tool(Revision::V2025_11_25, "report", json!({}));
    let content_type = |response: &reqwest::Response| {
        let value = &response.headers()["content-type"];
        value.to_str().unwrap().to_owned()
    };
    let response = send(&server, report().bearer(token(&server, "viewer"))).await;
    assert_eq!(response.status(), 403);
    assert_eq!(content_type(&response), "application/json");
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
    let scoped = server.token("vera").claim("roles", json!(["viewer"]));
    let scoped = scoped.claim("scope", json!("reports.read")).encode();
    let response = send(&server, report().bearer(scoped)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(&response), "text/event-stream");
}

/// In axum a handler's refusal is a whole answer.
#[tokio::test]
async fn what_an_axum_handler_requires_is_403_with_one_text_and_a_finding() {
    async fn publish(caller: Caller) -> Result<&'static str, CallerRejection> {
        caller.require(Need::role("developer"))?;
        Ok("published")
    }
    let records = Records::new();
    let policy = Policy::builder()
        .preset(Preset::Enterprise)
        .rule(Rule::tool("publish").identified());
    let guards = ServiceBuilder::new()
        .layer(AuditLayer::new(records.clone()))
        .layer(CallLayer::new())
        .layer(RbacLayer::new(policy.build().unwrap()));
    let app = Router::new().route("/mcp", routing::post(publish));
    let app = app.route_layer(guards);
    for (role, status, said) in [
        ("developer", 200, "published"),
        ("viewer", 403, "not permitted"),
    ] {
        let request = call_tool(Revision::V2025_11_25, "publish", json!({}));
        let mut request = request.build_axum();
        let vera = Principal::user("https://auth.example.com", "vera").roles([role]);
        identify(&mut request, vera.build("jwt")).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{role}");
        assert!(!answer.headers().contains_key("www-authenticate"), "SC-5");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains(said) && !text.contains("developer"), "{text}");
    }
    let record = records.all().pop().unwrap();
    let findings = record["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["layer"] == "caller");
    let finding = finding.unwrap_or_else(|| panic!("{record}"));
    assert_eq!(finding["verdict"], "refused");
    assert!(finding["reason"].as_str().unwrap().contains("developer"));
}

#[tokio::test]
async fn seed_z1_a_role_in_the_arguments_opens_nothing() {
    let server = Server::start(Mode::Json).await;
    let forged = json!({"user_context": {"role": "admin"}, "role": "admin"});
    let request = call_tool(Revision::V2025_11_25, "delete", forged);
    let response = send(&server, request.bearer(token(&server, "viewer"))).await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_handler_asks_for_more_than_its_tool_needs() {
    let server = Server::start(Mode::Json).await;
    let publish = || call_tool(Revision::V2025_11_25, "publish", json!({}));
    for (role, said) in [
        ("developer", "published, deploys: false"),
        ("admin", "published, deploys: true"),
        ("viewer", "not permitted"),
    ] {
        let response = send(&server, publish().bearer(token(&server, role))).await;
        let text = response.text().await.unwrap();
        assert!(text.contains(said), "{role}: {text}");
    }
    let record = server.records.all().pop().unwrap();
    let findings = record["findings"].to_string();
    assert!(
        findings.contains("caller") && findings.contains("developer"),
        "{findings}"
    );
}

#[tokio::test]
async fn seed_z6_what_no_rule_speaks_of_is_denied_and_the_handshake_is_not() {
    let server = Server::start(Mode::Json).await;
    let viewer = token(&server, "viewer");
    for (method, status) in [
        ("tools/list", 200),
        ("server/discover", 200),
        ("logging/setLevel", 403),
        ("unheard/of", 403),
    ] {
        let request = post(Revision::V2026_07_28, method, json!({"level": "info"}));
        let response = send(&server, request.bearer(&viewer)).await;
        assert_eq!(response.status(), status, "{method}");
    }
}

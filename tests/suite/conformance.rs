//! The two contracts for resource servers that MCP's conformance suite has in preparation.

use axum::{Form, Json, Router, routing::post};
use bartizan::{
    AuthLayer, CallLayer, JwtLayer, JwtVerifier, OpaqueVerifier, RbacLayer,
    oauth::{ClientAuth, Introspection, OAuthLayer},
    rbac::{Policy, Rule},
};
use bartizan_kit::{Echo, Issuer, McpRequest, Revision, post as mcp_post};
use http::Response;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::net::TcpListener;
use tower::{ServiceBuilder, ServiceExt as _};

const U: &str = "http://127.0.0.1:8001/mcp";

fn call(method: &str, params: Value, token: Option<&str>) -> McpRequest {
    let request = mcp_post(Revision::V2026_07_28, method, params);
    match token {
        Some(token) => request.bearer(token),
        None => request,
    }
}

async fn ask(auth: AuthLayer, rbac: RbacLayer, request: McpRequest) -> Response<()> {
    let service = ServiceBuilder::new()
        .layer(auth)
        .layer(CallLayer::new())
        .layer(rbac)
        .service(Echo::default());
    let answer = service.oneshot(request.build()).await.unwrap();
    answer.map(|_| ())
}

/// Token audience validation: keys are fetched lazily, the audience is the server's URL.
#[tokio::test]
async fn tv_2_ac_5_token_audience_validation() {
    let issuer = Issuer::start().await;
    let verifier = JwtVerifier::builder().issuer(issuer.url()).audience(U);
    let layer = JwtLayer::new(verifier.build().unwrap());
    let token = || issuer.mint().token().aud(U);
    let foreign = issuer.mint().impostor().token().aud(U);
    for (token, expected) in [
        (None, 401),
        (Some(token()), 200),
        (Some(token().aud("http://127.0.0.1:8001/other")), 401),
        (Some(token().no_claim("aud")), 401),
        (Some(token().expires_in(-3600)), 401),
        (Some(foreign), 401),
    ] {
        let token = token.map(|token| token.encode());
        let request = call("tools/list", json!({}), token.as_deref());
        let policy = Policy::builder().rule(Rule::method("tools/list").identified());
        // What answers here is no list.
        let rbac = RbacLayer::new(policy.build().unwrap()).without_list_filtering();
        let answer = ask(layer.clone().into(), rbac, request).await;
        assert_eq!(answer.status(), expected);
        let challenge = answer.headers().get("www-authenticate");
        assert_eq!(challenge.is_some(), expected == 401);
    }
}

const BASE: &str = "mcp:conformance:";

/// `sep-2350-server-scope-challenge`: opaque tokens, one with too little, one with everything.
#[tokio::test]
async fn sc_1_sc_2_sc_9_a_scope_challenge_names_all_that_the_operation_needs() {
    let cases = [
        (
            "tools/call",
            json!({ "name": "test_simple_text", "arguments": {} }),
            ["tools:call", "tools:test_simple_text"],
        ),
        (
            "resources/read",
            json!({ "uri": "test://static-text" }),
            ["resources:read", "resources:static"],
        ),
        (
            "resources/read",
            json!({ "uri": "test://template/123/data" }),
            ["resources:read", "resources:template:123"],
        ),
        (
            "prompts/get",
            json!({ "name": "test_simple_prompt" }),
            ["prompts:get", "prompts:test_simple_prompt"],
        ),
    ];
    let all = cases.iter().flat_map(|(_, _, scopes)| scopes);
    let all: Vec<_> = all.map(|scope| format!("{BASE}{scope}")).collect();
    let full = format!("{BASE}baseline {}", all.join(" "));
    let url = authorization_server(full).await;
    let auth = ClientAuth::basic("secret".to_owned());
    let server = Introspection::new(&url, format!("{url}/introspect"), "mcp", auth);
    let verifier = OpaqueVerifier::builder(server.audience(U)).build().unwrap();
    let needs = |rule: Rule, scopes: &[&str; 2]| {
        scopes
            .iter()
            .fold(rule, |rule, scope| rule.scope(&format!("{BASE}{scope}")))
    };
    let policy = Policy::builder()
        .rule(needs(Rule::tool("test_simple_text"), &cases[0].2))
        .rule(needs(Rule::resource("test://static-text"), &cases[1].2))
        .rule(needs(
            Rule::resource("test://template/123/data"),
            &cases[2].2,
        ))
        .rule(needs(Rule::prompt("test_simple_prompt"), &cases[3].2))
        .build()
        .unwrap();
    let rbac = RbacLayer::new(policy);
    for (method, params, scopes) in cases {
        let ask = async |token: &str| {
            let request = call(method, params.clone(), Some(token));
            ask(
                OAuthLayer::new(verifier.clone()).into(),
                rbac.clone(),
                request,
            )
            .await
        };
        let low = ask("mcp-conformance-scope-low").await;
        assert_eq!(low.status(), 403, "{method}");
        let line = low.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            line.starts_with(r#"Bearer error="insufficient_scope""#),
            "{line}"
        );
        let asked = line.split("scope=\"").nth(1).unwrap().split('"').next();
        let mut asked: Vec<_> = asked.unwrap().split(' ').collect();
        asked.sort_unstable();
        let mut needed = scopes.map(|scope| format!("{BASE}{scope}"));
        needed.sort_unstable();
        assert_eq!(asked, needed, "{method}");
        assert_eq!(
            ask("mcp-conformance-scope-full").await.status(),
            200,
            "{method}"
        );
        assert_eq!(
            ask("mcp-conformance-unknown").await.status(),
            401,
            "{method}"
        );
    }
}

async fn authorization_server(full: String) -> String {
    let introspect = move |Form(form): Form<HashMap<String, String>>| {
        let scope = match form["token"].as_str() {
            "mcp-conformance-scope-low" => Some(format!("{BASE}baseline")),
            "mcp-conformance-scope-full" => Some(full.clone()),
            _ => None,
        };
        let answer = match scope {
            Some(scope) => json!({ "active": true, "aud": U, "sub": "ann", "scope": scope }),
            None => json!({ "active": false }),
        };
        async move { Json(answer) }
    };
    let app = Router::new().route("/introspect", post(introspect));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

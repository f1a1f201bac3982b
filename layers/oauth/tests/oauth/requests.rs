//! The layer at a request, alone and beside others.

use bartizan_jwt::JwtVerifier;
use bartizan_kit::TokenMint;
use bartizan_oauth::GitHub;

use super::*;

fn challenge(answer: &Response<ResponseBody<Full<Bytes>>>) -> &str {
    let line = answer.headers().get("www-authenticate");
    line.map_or("", |line| line.to_str().unwrap())
}

#[tokio::test]
async fn ac_1_ac_5_no_token_and_a_bad_one_are_told_where_to_get_one() {
    let provider = of_ann().await;
    let layer = OAuthLayer::new(builder(&provider, &clock()).build().unwrap());
    let answer = send(layer.clone(), request("Bearer good")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let bare = Request::post("/mcp").body(Full::default()).unwrap();
    let answer = send(layer.clone(), bare).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";
    assert_eq!(
        challenge(&answer),
        format!(r#"Bearer resource_metadata="{metadata}""#)
    );
    provider.behave(|_| Answer::json(&json!({ "active": false })));
    let answer = send(layer, request("Bearer bad")).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(challenge(&answer).contains(r#"error="invalid_token""#));
}

#[tokio::test]
async fn md_1_the_metadata_names_the_provider() {
    let provider = of_ann().await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    let document: Value = serde_json::from_slice(verifier.metadata().json()).unwrap();
    assert_eq!(document["resource"], U);
    assert_eq!(document["authorization_servers"], json!([provider.url()]));
}

#[tokio::test]
async fn opaque_tokens_and_jwts_are_told_apart_on_one_endpoint() {
    let (provider, clock) = (of_ann().await, clock());
    let mint = TokenMint::new("https://auth.example.com", U).with_clock(clock.clone());
    let jwt = JwtVerifier::builder()
        .issuer("https://auth.example.com")
        .audience(U)
        .jwk_set(mint.jwks().to_string())
        .clock(clock.clone())
        .build()
        .unwrap();
    let github = GitHub::new("app", "secret".to_owned())
        .allowed_orgs(["acme"])
        .server(provider.url(), "https://ghe.example.com");
    let github = OpaqueVerifier::builder(github).resource(U).leave_others();
    let opaque = builder(&provider, &clock).leave_others().build().unwrap();
    let layer = AuthLayer::new(github.build().unwrap()).or(opaque).or(jwt);
    let answer = send(layer.clone(), request("Bearer opaque")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let token = mint.token().encode();
    let answer = send(layer.clone(), request(&format!("Bearer {token}"))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let asked = provider.asked();
    assert_eq!(asked.len(), 1, "the JWT was shown to nobody");
    // A bad one of either kind is refused, and by nobody else taken.
    let forged = mint.impostor().token().encode();
    let answer = send(layer.clone(), request(&format!("Bearer {forged}"))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    provider.behave(|_| Answer::status(404));
    let answer = send(layer, request("Bearer gho_1")).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let last = provider.asked().pop().unwrap();
    assert_eq!(last.uri.path(), "/applications/app/token");
}

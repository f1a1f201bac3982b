//! The layer at a request, alone and beside others.

use bartizan_jwt::JwtVerifier;
use bartizan_kit::TokenMint;
use bartizan_oauth::{GitHub, Google};

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

/// Google, standing at the provider.
fn google(provider: &Provider) -> Google {
    let google = Google::new(["client"]).allowed_domains(["example.com"]);
    google.endpoints(provider.url_of("/tokeninfo"), provider.url_of("/userinfo"))
}

#[tokio::test]
async fn another_providers_token_is_not_shown_to_google() {
    let (at_google, at_own) = (of_ann().await, of_ann().await);
    let servers = ["https://accounts.google.com".to_owned(), at_own.url()];
    let build = |builder: OpaqueVerifierBuilder| {
        let builder = builder
            .authorization_servers(servers.clone())
            .clock(clock());
        builder.resource(U).leave_others().build().unwrap()
    };
    let (google, own) = (
        build(OpaqueVerifier::builder(google(&at_google))),
        build(OpaqueVerifier::builder(introspection(&at_own))),
    );
    let layers = [
        AuthLayer::new(google.clone()).or(own.clone()),
        OAuthLayer::over([google.clone(), own]).unwrap().into(),
    ];
    for layer in layers.clone() {
        let answer = send(layer, request("Bearer opaque")).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert_eq!((at_google.count(), at_own.count()), (0, 1));
    for layer in layers {
        let answer = send(layer, request("Bearer ya29.x")).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!((at_google.count(), at_own.count()), (1, 1));
    // Nor is it where Google is asked alone.
    assert_eq!(
        reason(google.verify("opaque").await),
        "not of the form of the provider's tokens"
    );
}

#[tokio::test]
async fn verifiers_that_take_each_others_tokens_build_no_layer() {
    let provider = of_ann().await;
    let servers = ["https://accounts.google.com", "https://auth.example.com"];
    let build = |builder: OpaqueVerifierBuilder| {
        let builder = builder.authorization_servers(servers).resource(U);
        builder.build().unwrap()
    };
    let google = |google: Google| build(OpaqueVerifier::builder(google));
    let own = || build(OpaqueVerifier::builder(introspection(&provider)));
    let prefixed = |prefix: &str| {
        build(OpaqueVerifier::builder(
            introspection(&provider).token_prefix(prefix),
        ))
    };
    let ya29 = || google(self::google(&provider));
    let any = || google(self::google(&provider).danger_any_token_form());
    for good in [
        vec![own()],
        vec![ya29(), own()],
        vec![prefixed("at_"), ya29(), own()],
        vec![prefixed("at_1"), prefixed("at_")],
    ] {
        assert!(OAuthLayer::over(good).is_ok());
    }
    let alone = OpaqueVerifier::builder(introspection(&provider))
        .build()
        .unwrap();
    for bad in [
        vec![],
        vec![own(), ya29()],
        vec![any(), own()],
        vec![own(), own()],
        vec![prefixed("at_"), prefixed("at_1")],
        vec![prefixed("ya29"), ya29()],
        // The metadata of one would not name the other.
        vec![ya29(), alone],
    ] {
        let error = OAuthLayer::over(bad).unwrap_err();
        assert_eq!(error.setting(), "verifiers");
    }
    for prefix in ["", "a b", "=", "a\""] {
        let server = introspection(&provider).token_prefix(prefix);
        let error = OpaqueVerifier::builder(server).build().unwrap_err();
        assert_eq!(error.setting(), "token_prefix", "{prefix}");
    }
}

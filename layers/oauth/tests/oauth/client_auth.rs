//! How the server proves to its authorization server who it is.

use bartizan_jwt::{Algorithm, JwtVerifier, TokenProfile};
use bartizan_oauth::AssertionAlgorithm;

use super::*;

async fn asked_with(client: &str, auth: ClientAuth) -> Asked {
    let provider = of_ann().await;
    let server = Introspection::new(provider.url(), provider.url_of("/introspect"), client, auth);
    let verifier = OpaqueVerifier::builder(server.audience(U)).clock(clock());
    let verifier = verifier.build().unwrap();
    assert_eq!(reason(verifier.verify("token").await), "accepted");
    provider.asked().remove(0)
}

#[tokio::test]
async fn basic_encodes_id_and_secret_before_it_joins_them() {
    // RFC 6749 §2.3.1: `a:b` and `c d%` as a%3Ab and c+d%25.
    let asked = asked_with("a:b", ClientAuth::basic("c d%".to_owned())).await;
    assert_eq!(asked.header("authorization"), "Basic YSUzQWI6YytkJTI1");
    assert_eq!(asked.field("client_secret"), None);
}

#[tokio::test]
async fn post_puts_them_into_the_form() {
    let asked = asked_with("mcp", ClientAuth::post("s&x=y".to_owned())).await;
    assert_eq!(asked.header("authorization"), "");
    assert_eq!(asked.field("client_id").unwrap(), "mcp");
    assert_eq!(asked.field("client_secret").unwrap(), "s&x=y");
    assert_eq!(asked.field("x"), None);
}

#[tokio::test]
async fn a_bearer_token_of_the_servers_own() {
    let asked = asked_with("mcp", ClientAuth::bearer("abc".to_owned())).await;
    assert_eq!(asked.header("authorization"), "Bearer abc");
}

#[tokio::test]
async fn an_assertion_is_signed_for_the_issuer_and_fresh_each_time() {
    const CLIENT: &str = "https://client.example.com";
    for (algorithm, verified_as, kind) in [
        (
            AssertionAlgorithm::RS256,
            Algorithm::RS256,
            bartizan_kit::Algorithm::Rs256,
        ),
        (
            AssertionAlgorithm::PS256,
            Algorithm::PS256,
            bartizan_kit::Algorithm::Rs256,
        ),
        (
            AssertionAlgorithm::ES256,
            Algorithm::ES256,
            bartizan_kit::Algorithm::Es256,
        ),
        (
            AssertionAlgorithm::EdDSA,
            Algorithm::EdDSA,
            bartizan_kit::Algorithm::EdDsa,
        ),
    ] {
        let key = bartizan_kit::TokenMint::new(CLIENT, U).key(kind);
        let auth = ClientAuth::private_key_jwt(algorithm, Some("k1"), &key.private_pem()).unwrap();
        assert!(!format!("{auth:?}").contains("PRIVATE"));
        let mut ids = Vec::new();
        for _ in 0..2 {
            let asked = asked_with(CLIENT, auth.clone()).await;
            assert_eq!(asked.header("authorization"), "");
            assert_eq!(asked.field("client_id").unwrap(), CLIENT);
            assert_eq!(
                asked.field("client_assertion_type").unwrap(),
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            );
            let issuer = format!("http://{}", asked.header("host"));
            let verifier = JwtVerifier::builder()
                .issuer(CLIENT)
                .audience(&issuer)
                .resource(U)
                .algorithms([verified_as])
                .profile(TokenProfile::GenericAccessToken)
                .max_token_lifetime(Duration::from_secs(60))
                .public_key_pem(Some("k1"), verified_as, key.public_pem())
                .clock(clock())
                .build()
                .unwrap();
            let assertion = asked.field("client_assertion").unwrap();
            let client = verifier.verify(&assertion).await.unwrap();
            assert_eq!(client.subject(), CLIENT);
            ids.push(client.credential_id().unwrap().to_owned());
        }
        assert_ne!(ids[0], ids[1]);
    }
}

#[test]
fn a_key_that_is_not_of_the_algorithm_does_not_build() {
    let mint = bartizan_kit::TokenMint::new("https://a.example", U);
    let ec = mint.key(bartizan_kit::Algorithm::Es256).private_pem();
    let build = |algorithm, pem: &str| {
        let auth = ClientAuth::private_key_jwt(algorithm, None, pem);
        auth.map_err(|error| error.to_string())
    };
    assert!(build(AssertionAlgorithm::ES256, &ec).is_ok());
    for (algorithm, pem) in [
        (AssertionAlgorithm::RS256, &*ec),
        (AssertionAlgorithm::EdDSA, &ec),
        (AssertionAlgorithm::ES256, "not a key"),
        (AssertionAlgorithm::ES256, ""),
    ] {
        let error = build(algorithm, pem).unwrap_err();
        assert!(error.starts_with("private_key_jwt has"), "{error}");
    }
}

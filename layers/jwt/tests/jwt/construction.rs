use bartizan_jwt::IssuerConfig;
use bartizan_kit::{Algorithm as Alg, Jwks, SigningKey};
use serde_json::json;

use super::*;

fn setting(result: Result<JwtVerifier, JwtConfigError>) -> &'static str {
    let error = result.expect_err("should not build");
    let text = error.to_string();
    assert!(
        text.starts_with(error.setting()) && !text.ends_with('.'),
        "{text}"
    );
    error.setting()
}

#[test]
fn seed_a7_missing_or_empty_issuer_and_audience_do_not_build() {
    let clock = clock();
    let keys = || mint(&clock).jwks().to_string();
    let new = || JwtVerifier::builder().jwk_set(keys());
    assert_eq!(setting(new().audience(U).build()), "issuer");
    assert_eq!(setting(new().issuer("").audience(U).build()), "issuer");
    assert_eq!(setting(new().issuer(I).build()), "audience");
    assert_eq!(setting(new().issuer(I).audience("").build()), "audience");
    assert_eq!(
        setting(new().issuer(I).audience(U).audience("").build()),
        "audience"
    );
    assert!(new().issuer(I).audience(U).build().is_ok());
}

#[test]
fn issuers_without_tls_do_not_build_unless_on_this_machine_or_in_danger() {
    let clock = clock();
    for bad in [
        "http://auth.example.com",
        "auth.example.com",
        "https://a.example/?x",
        "https://a.example/#x",
        "ftp://a.example",
    ] {
        assert_eq!(setting(builder(&clock).issuer(bad).build()), "issuer");
    }
    assert!(builder(&clock).issuer("http://127.0.0.1:1").build().is_ok());
    let danger = builder(&clock)
        .issuer("http://auth.internal")
        .danger_allow_http_issuer();
    assert!(danger.build().is_ok());
    let url = JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .jwks_url("http://a.example/jwks");
    assert_eq!(setting(url.build()), "jwks_url");
}

#[test]
fn md_1_the_danger_of_one_issuer_publishes_no_other_server_without_tls() {
    let clock = clock();
    let dev = || {
        let keys = mint(&clock).jwks().to_string();
        IssuerConfig::new("http://auth.internal:8080/dev")
            .danger_allow_http_issuer()
            .jwk_set(keys)
    };
    let naming = |servers: &[&str]| {
        let builder = builder(&clock).add_issuer(dev());
        builder
            .authorization_servers(servers.iter().copied())
            .build()
    };
    assert!(naming(&[]).is_ok());
    assert!(naming(&[I, "http://auth.internal:8080/dev"]).is_ok());
    assert!(naming(&["http://AUTH.internal:8080/other"]).is_ok());
    for other in [
        "http://auth.example.com",
        "http://auth.internal",
        "http://auth.internal:8081/dev",
    ] {
        let built = naming(&[I, other]);
        assert_eq!(setting(built), "authorization_servers", "{other}");
    }
}

#[test]
fn an_audience_that_is_no_url_needs_a_resource() {
    let clock = clock();
    let opaque = || {
        JwtVerifier::builder()
            .issuer(I)
            .audience("api://mcp")
            .jwk_set(mint(&clock).jwks().to_string())
    };
    assert_eq!(setting(opaque().build()), "resource");
    let verifier = opaque().resource(U).build().unwrap();
    assert_eq!(verifier.metadata().resource(), U);
}

#[test]
fn values_out_of_range_do_not_build() {
    let of = |change: fn(JwtVerifierBuilder) -> JwtVerifierBuilder| {
        setting(change(builder(&clock())).build())
    };
    let seconds = Duration::from_secs;
    assert_eq!(of(|b| b.leeway(Duration::from_secs(301))), "leeway_seconds");
    assert_eq!(
        of(|b| b.max_token_lifetime(Duration::from_secs(59))),
        "max_token_lifetime_seconds"
    );
    assert_eq!(
        of(|b| b.jwks_cache_ttl(Duration::from_secs(59))),
        "jwks_cache_ttl_seconds"
    );
    assert_eq!(
        of(|b| b.jwks_cache_ttl(Duration::from_secs(86_401))),
        "jwks_cache_ttl_seconds"
    );
    assert_eq!(
        of(|b| b.jwks_refetch_floor(Duration::ZERO)),
        "jwks_refetch_floor_seconds"
    );
    assert_eq!(of(|b| b.max_token_bytes(100)), "max_token_bytes");
    assert_eq!(of(|b| b.algorithms([])), "algorithms");
    assert_eq!(of(|b| b.roles_claim("a..b")), "roles_claim");
    assert!(
        builder(&clock())
            .leeway(seconds(300))
            .jwks_cache_ttl(seconds(60))
            .build()
            .is_ok()
    );
}

#[test]
fn contradictory_private_weak_and_unusable_keys_do_not_build() {
    let new = || JwtVerifier::builder().issuer(I).audience(U);
    let key = SigningKey::shared(Alg::Es256);
    let both = new()
        .jwk_set(Jwks::of([&key]).to_string())
        .jwks_url("https://a.example/jwks");
    assert_eq!(setting(both.build()), "keys");
    let private = Jwks::of([&key])
        .with(json!({"kty": "EC", "crv": "P-256", "d": "AA", "x": "AA", "y": "AA"}));
    assert_eq!(
        setting(new().jwk_set(private.to_string()).build()),
        "jwk_set"
    );
    assert_eq!(setting(new().jwk_set("{}").build()), "jwk_set");
    let pem = key.public_pem();
    let private = pem.replace("PUBLIC", "PRIVATE");
    assert_eq!(
        setting(
            new()
                .public_key_pem(None, Algorithm::ES256, private)
                .build()
        ),
        "public_keys"
    );
    assert_eq!(
        setting(new().public_key_pem(None, Algorithm::RS256, &pem).build()),
        "public_keys"
    );
    assert_eq!(
        setting(new().public_key_pem(None, Algorithm::RS512, &pem).build()),
        "public_keys"
    );
    let twice = new()
        .public_key_pem(Some("a"), Algorithm::ES256, &pem)
        .public_key_pem(Some("a"), Algorithm::ES256, &pem);
    assert_eq!(setting(twice.build()), "public_keys");
}

#[test]
fn pem_keys_of_which_none_could_ever_be_chosen_do_not_build() {
    let new = || JwtVerifier::builder().issuer(I).audience(U);
    let pems = [1, 2].map(|_| SigningKey::generate(Alg::Es256).public_pem());
    let nameless = new()
        .public_key_pem(None, Algorithm::ES256, &pems[0])
        .public_key_pem(None, Algorithm::ES256, &pems[1]);
    assert_eq!(setting(nameless.build()), "public_keys");
    let of_two_types = new()
        .public_key_pem(None, Algorithm::ES256, &pems[0])
        .public_key_pem(
            None,
            Algorithm::EdDSA,
            SigningKey::shared(Alg::EdDsa).public_pem(),
        );
    assert!(of_two_types.build().is_ok());
}

#[test]
fn keys_that_may_not_be_fetched_again_before_they_are_outdated_do_not_build() {
    let of = |floor, ttl| {
        builder(&clock())
            .jwks_refetch_floor(Duration::from_secs(floor))
            .jwks_cache_ttl(Duration::from_secs(ttl))
            .build()
    };
    assert_eq!(setting(of(61, 60)), "jwks_refetch_floor_seconds");
    assert!(of(60, 60).is_ok());
}

#[tokio::test]
async fn a_pem_key_verifies_tokens_of_its_algorithm_only() {
    let clock = clock();
    let mint = mint(&clock);
    let pem = mint.key(Alg::Rs256).public_pem();
    let verifier = JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .public_key_pem(None, Algorithm::RS256, pem)
        .clock(clock)
        .build()
        .unwrap();
    let rsa = mint.token().signed_by(&mint.key(Alg::Rs256));
    assert_eq!(reason(verifier.verify(&rsa.encode()).await), "accepted");
    let ec = mint.token().encode();
    assert_eq!(
        reason(verifier.verify(&ec).await),
        "no key has the token's key id"
    );
}

#[test]
fn debug_shows_no_keys() {
    let verifier = builder(&clock()).build().unwrap();
    let x = SigningKey::shared(Alg::Es256).jwk()["x"].to_string();
    assert!(!format!("{verifier:?}").contains(&x));
}

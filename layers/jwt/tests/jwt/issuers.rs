//! Several issuers behind one verifier.

use bartizan_jwt::{IssuerConfig, TokenProfile};
use bartizan_kit::Algorithm as Alg;
use serde_json::json;

use super::*;

const OTHER: &str = "https://other.example.com";

/// The other issuer's mint, with keys of its own.
fn other_mint(clock: &FakeClock) -> TokenMint {
    TokenMint::new(OTHER, U)
        .with_clock(clock.clone())
        .impostor()
}

fn other(mint: &TokenMint) -> IssuerConfig {
    IssuerConfig::new(OTHER).jwk_set(mint.jwks().to_string())
}

async fn verdict(verifier: &JwtVerifier, token: &str) -> String {
    let cold = reason(verifier.verify(token).await);
    let warm = reason(verifier.verify(token).await);
    assert_eq!(cold, warm);
    cold
}

#[tokio::test]
async fn tv_4_tv_16_each_token_is_judged_by_the_issuer_it_names_and_accounts_stay_apart() {
    let clock = clock();
    let (ours, theirs) = (mint(&clock), other_mint(&clock));
    let verifier = builder(&clock).add_issuer(other(&theirs)).build().unwrap();
    for _ in 0..3 {
        let mut principals = Vec::new();
        for mint in [&ours, &theirs] {
            let principal = verifier.verify(&mint.token().encode()).await.unwrap();
            assert_eq!(
                (principal.issuer(), principal.subject()),
                (mint.issuer(), "ann")
            );
            principals.push(principal);
        }
        assert_ne!(principals[0].account(), principals[1].account());
    }
}

#[tokio::test]
async fn tv_4_keys_of_one_issuer_do_not_sign_for_another() {
    let clock = clock();
    let (ours, theirs) = (mint(&clock), other_mint(&clock));
    let verifier = builder(&clock).add_issuer(other(&theirs)).build().unwrap();
    let (our_key, their_key) = (ours.key(Alg::Es256), theirs.key(Alg::Es256));
    for forged in [
        ours.token().signed_by(&their_key),
        theirs.token().signed_by(&our_key),
        ours.token().iss(OTHER),
        theirs.token().iss(I),
    ] {
        let reason = verdict(&verifier, &forged.encode()).await;
        assert!(
            [
                "no key has the token's key id",
                "the signature is not valid"
            ]
            .contains(&&*reason),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn tv_4_who_names_none_of_the_issuers_is_refused_before_any_key_is_asked() {
    let clock = clock();
    let issuer = Issuer::start().await;
    let verifier = builder(&clock)
        .add_issuer(IssuerConfig::new(issuer.url()))
        .build()
        .unwrap();
    let token = || mint(&clock).token();
    for (stranger, why) in [
        (token().iss("https://stranger.example"), "another issuer"),
        (token().iss(format!("{I}/")), "another issuer"),
        (token().iss(I.to_uppercase()), "another issuer"),
        (token().iss(json!([I, OTHER])), "another issuer"),
        (token().iss(json!(null)), "another issuer"),
        (token().no_claim("iss"), "no issuer"),
        (
            token().claim_again("iss", OTHER),
            "the claims are not one unambiguous JSON object",
        ),
    ] {
        assert_eq!(verdict(&verifier, &stranger.encode()).await, why);
    }
    assert_eq!(issuer.connections(), 0);
}

#[tokio::test]
async fn each_issuer_has_its_own_algorithms_audience_profile_and_roles() {
    const THEIR_AUDIENCE: &str = "api://mcp";
    let clock = clock();
    let theirs = other_mint(&clock);
    let config = other(&theirs)
        .algorithms([Algorithm::RS256])
        .audience(THEIR_AUDIENCE)
        .profile(TokenProfile::GenericAccessToken)
        .roles_claim("realm_access.roles");
    let verifier = builder(&clock).add_issuer(config).build().unwrap();
    let rsa = theirs.key(Alg::Rs256);
    let good = || {
        theirs
            .token()
            .signed_by(&rsa)
            .aud(THEIR_AUDIENCE)
            .typ("JWT")
            .claim("realm_access", json!({"roles": ["editor"]}))
    };
    let principal = verifier.verify(&good().encode()).await.unwrap();
    assert!(principal.roles().eq(["editor"]));
    for (token, why) in [
        (good().aud(U), "another audience"),
        (
            good().signed_by(&theirs.key(Alg::Es256)),
            "the algorithm is not allowed",
        ),
        (mint(&clock).token().aud(THEIR_AUDIENCE), "another audience"),
        (
            mint(&clock).token().typ("JWT"),
            "the type is not that of an access token",
        ),
    ] {
        assert_eq!(verdict(&verifier, &token.encode()).await, why);
    }
}

#[tokio::test]
async fn tv_4_an_issuer_of_many_organizations_is_pinned_to_its_tenants() {
    let clock = clock();
    let theirs = other_mint(&clock);
    let config = other(&theirs).tenant_claim("tid").tenants(["one", "two"]);
    let verifier = builder(&clock).add_issuer(config).build().unwrap();
    let of = |tenant: serde_json::Value| theirs.token().claim("tid", tenant).encode();
    let principal = verifier.verify(&of(json!("two"))).await.unwrap();
    assert_eq!(principal.tenant(), Some("two"));
    for stranger in ["three", "ONE", "one,two"] {
        assert_eq!(
            verdict(&verifier, &of(json!(stranger))).await,
            "another tenant"
        );
    }
    let without = theirs.token().encode();
    assert_eq!(verdict(&verifier, &without).await, "another tenant");
    let ours = mint(&clock).token().encode();
    assert_eq!(verdict(&verifier, &ours).await, "accepted");
}

#[tokio::test]
async fn ac_16_the_outage_of_one_issuer_is_503_for_its_tokens_and_for_no_others() {
    let clock = clock();
    let issuer = Issuer::start().await;
    issuer.behave_everywhere(&Behaviour::good().status(500));
    let verifier = builder(&clock)
        .add_issuer(IssuerConfig::new(issuer.url()))
        .build()
        .unwrap();
    let layer = JwtLayer::new(verifier.clone());
    let bearer = |mint: &TokenMint| request(&format!("Bearer {}", mint.token().encode()));
    let down = issuer.mint().clone().with_clock(clock.clone());
    let answer = send(&layer, bearer(&down)).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(challenge(&answer), "");
    let answer = send(&layer, bearer(&mint(&clock))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let error = verifier.warm_up().await.unwrap_err().to_string();
    assert!(error.contains(issuer.url()), "{error}");
    assert!(!error.contains(I), "{error}");
}

#[tokio::test]
async fn keys_that_one_issuer_withdraws_take_its_remembered_tokens_and_no_others() {
    let clock = clock();
    let issuer = Issuer::start().await;
    let verifier = builder(&clock)
        .add_issuer(IssuerConfig::new(issuer.url()))
        .build()
        .unwrap();
    let theirs = issuer.mint().clone().with_clock(clock.clone());
    let token = |mint: &TokenMint| mint.token().expires_in(100_000).encode();
    let (our_token, their_token) = (token(&mint(&clock)), token(&theirs));
    for token in [&our_token, &their_token] {
        assert_eq!(verdict(&verifier, token).await, "accepted");
    }
    issuer.rotate_keys();
    clock.advance(Duration::from_secs(7200));
    assert_eq!(
        verdict(&verifier, &their_token).await,
        "no key has the token's key id"
    );
    assert_eq!(verdict(&verifier, &our_token).await, "accepted");
}

#[test]
fn md_1_the_metadata_names_every_issuer_in_order() {
    let clock = clock();
    let theirs = other_mint(&clock);
    let servers = |verifier: JwtVerifier| {
        let document: serde_json::Value =
            serde_json::from_slice(verifier.metadata().json()).unwrap();
        document["authorization_servers"].clone()
    };
    let both = builder(&clock).add_issuer(other(&theirs));
    assert_eq!(servers(both.clone().build().unwrap()), json!([I, OTHER]));
    let chosen = both.authorization_servers([OTHER]).build().unwrap();
    assert_eq!(servers(chosen), json!([OTHER]));
    let added = JwtVerifier::builder()
        .audience(U)
        .add_issuer(other(&theirs));
    assert_eq!(servers(added.build().unwrap()), json!([OTHER]));
}

#[test]
fn issuers_that_contradict_each_other_or_themselves_do_not_build() {
    let clock = clock();
    let theirs = other_mint(&clock);
    let setting = |issuer: IssuerConfig| {
        let error = builder(&clock).add_issuer(issuer).build().unwrap_err();
        error.setting()
    };
    let new = || other(&theirs);
    assert_eq!(setting(IssuerConfig::new(I).jwk_set("{}")), "issuer");
    assert_eq!(setting(IssuerConfig::new("http://other.example")), "issuer");
    assert_eq!(setting(IssuerConfig::new("").tenants(["one"])), "issuer");
    assert_eq!(setting(new().tenants(["one"])), "tenants");
    assert_eq!(setting(new().tenant_claim("tid").tenants([""])), "tenants");
    assert_eq!(setting(new().tenant_claim("a..b")), "tenant_claim");
    assert_eq!(setting(new().algorithms([])), "algorithms");
    assert_eq!(setting(new().jwks_url("https://other.example/k")), "keys");
    assert_eq!(setting(new().audience("https://a b")), "audience");
}

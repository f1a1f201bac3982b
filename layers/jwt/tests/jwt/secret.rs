//! Issuers whose secret the server shares.

use bartizan_core::Secret;
use bartizan_kit::Algorithm as Alg;

use super::*;

const SECRET: [u8; 32] = *b"0123456789abcdef0123456789ABCDEF";

fn sharing(clock: &FakeClock) -> JwtVerifierBuilder {
    JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .shared_secret(I, SECRET.to_vec())
        .clock(clock.clone())
}

#[tokio::test]
async fn a_token_signed_with_the_shared_secret_is_accepted_and_any_other_refused() {
    let clock = clock();
    let mint = mint(&clock);
    let verifier = sharing(&clock).build().unwrap();
    let good = mint.token().hs256_with(SECRET);
    let judged = |token: String| {
        let verifier = verifier.clone();
        async move { reason(verifier.verify(&token).await) }
    };
    assert_eq!(judged(good.encode()).await, "accepted");
    assert_eq!(judged(good.clone().kid("any").encode()).await, "accepted");
    assert_eq!(
        judged(good.encode_spoiled()).await,
        "the signature is not valid"
    );
    let mut other = SECRET;
    other[31] ^= 1;
    let forged = mint.token().hs256_with(other).encode();
    assert_eq!(judged(forged).await, "the signature is not valid");
    for signed in [Alg::Rs256, Alg::Es256, Alg::EdDsa] {
        let token = mint.token().signed_by(&mint.key(signed)).encode();
        assert_eq!(judged(token).await, "the algorithm is not allowed");
    }
    let unsigned = mint.token().unsigned("none").encode();
    assert_ne!(judged(unsigned).await, "accepted");
}

#[tokio::test]
async fn tv_5_a_shared_secret_is_for_its_issuer_and_published_keys_never_sign_by_hmac() {
    const OTHER: &str = "https://other.example.com";
    let clock = clock();
    let mint = mint(&clock);
    let theirs = TokenMint::new(OTHER, U).with_clock(clock.clone());
    let jwks = mint.jwks().to_string();
    let published = bartizan_jwt::IssuerConfig::new(OTHER).jwk_set(jwks.clone());
    let verifier = sharing(&clock).add_issuer(published).build().unwrap();
    let with_secret = theirs.token().hs256_with(SECRET);
    let with_keys = theirs.token().hs256_with(jwks);
    let with_pem = theirs
        .token()
        .hs256_with(theirs.key(Alg::Rs256).public_pem());
    for token in [with_secret, with_keys, with_pem] {
        let refused = reason(verifier.verify(&token.encode()).await);
        assert_eq!(refused, "the algorithm is not allowed");
    }
    let good = theirs.token().encode();
    assert_eq!(reason(verifier.verify(&good).await), "accepted");
}

#[test]
fn short_and_empty_secrets_and_contradictions_do_not_build() {
    let clock = clock();
    let setting = |builder: JwtVerifierBuilder| builder.build().unwrap_err().setting();
    let new = || JwtVerifier::builder().issuer(I).audience(U);
    let with = |secret: &[u8]| new().shared_secret(I, secret.to_vec());
    assert_eq!(setting(with(b"")), "shared_secret");
    assert_eq!(setting(with(&SECRET[..31])), "shared_secret");
    assert!(with(&SECRET).build().is_ok());
    let published = builder(&clock).shared_secret(I, SECRET.to_vec());
    assert_eq!(setting(published), "shared_secret");
    let nobody = new().shared_secret("https://nobody.example", SECRET.to_vec());
    assert_eq!(setting(nobody), "shared_secret");
    let twice = with(&SECRET).shared_secret(I, Secret::from(SECRET.to_vec()));
    assert_eq!(setting(twice), "shared_secret");
    let asymmetric = with(&SECRET).algorithms([Algorithm::RS256, Algorithm::HS256]);
    assert_eq!(setting(asymmetric), "algorithms");
    let unshared = builder(&clock).algorithms([Algorithm::HS256]);
    assert_eq!(setting(unshared), "algorithms");
    let alone = with(&SECRET).algorithms([Algorithm::HS256]);
    assert!(!format!("{alone:?}").contains("0123456789abcdef"));
    assert!(alone.build().is_ok());
}

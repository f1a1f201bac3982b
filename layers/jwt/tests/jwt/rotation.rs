//! Issuers that rotate keys without naming them.

use bartizan_kit::{Algorithm as Alg, Jwks};

use super::{
    fetching::{JWKS, Next, Scripted, remote},
    *,
};

const FLOOR: Duration = Duration::from_secs(31);

struct Scene {
    clock: FakeClock,
    mint: TokenMint,
    fetcher: Scripted,
    verifier: JwtVerifier,
}

impl Scene {
    fn new() -> Self {
        let clock = clock();
        let mint = mint(&clock).impostor();
        let fetcher = Scripted::new(Next::Answer(nameless(&mint).to_string()));
        let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
        Self {
            clock,
            mint,
            fetcher,
            verifier,
        }
    }

    fn rotate(&self) {
        self.mint.rotate();
        let jwks = nameless(&self.mint).to_string();
        self.fetcher.then(Next::Answer(jwks));
    }

    async fn verdict(&self, token: &str) -> String {
        reason(self.verifier.verify(token).await)
    }
}

fn nameless(mint: &TokenMint) -> Jwks {
    Jwks::of([&mint.key(Alg::Es256)]).without("kid")
}

#[tokio::test]
async fn tv_13_a_rotated_key_without_kid_is_fetched_for_the_first_token_that_it_signed() {
    for has_kid in [false, true] {
        let scene = Scene::new();
        let token = || {
            let token = scene.mint.token();
            let token = if has_kid {
                token
            } else {
                token.no_header("kid")
            };
            token.encode()
        };
        let old = token();
        assert_eq!(scene.verdict(&old).await, "accepted");
        scene.rotate();
        scene.clock.advance(FLOOR);
        assert_eq!(scene.verdict(&token()).await, "accepted");
        assert_eq!(scene.fetcher.asked().len(), 2);
        assert_eq!(scene.verdict(&old).await, "the signature is not valid");
    }
}

#[tokio::test]
async fn tv_13_a_thousand_bad_signatures_without_kid_cost_one_fetch_per_floor() {
    let scene = Scene::new();
    scene.verifier.warm_up().await.unwrap();
    for fetches in 1..4 {
        for _ in 0..300 {
            let bad = scene.mint.token().no_header("kid").encode_spoiled();
            assert_eq!(scene.verdict(&bad).await, "the signature is not valid");
        }
        assert_eq!(scene.fetcher.asked().len(), fetches);
        scene.clock.advance(FLOOR);
    }
}

#[tokio::test]
async fn tv_13_a_bad_signature_of_a_named_key_costs_no_fetch() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    verifier.warm_up().await.unwrap();
    clock.advance(FLOOR);
    let bad = mint.token().encode_spoiled();
    let verdict = reason(verifier.verify(&bad).await);
    assert_eq!(verdict, "the signature is not valid");
    assert_eq!(fetcher.asked().len(), 1);
}

#[tokio::test]
async fn tv_13_an_issuer_without_kids_may_change_its_algorithm() {
    let scene = Scene::new();
    scene.verifier.warm_up().await.unwrap();
    let key = scene.mint.key(Alg::EdDsa);
    let jwks = Jwks::of([&key]).without("kid").to_string();
    scene.fetcher.then(Next::Answer(jwks));
    scene.clock.advance(FLOOR);
    let token = scene.mint.token().signed_by(&key).no_header("kid").encode();
    assert_eq!(scene.verdict(&token).await, "accepted");
}

#[tokio::test]
async fn ac_16_a_rotation_without_kid_during_an_outage_is_503() {
    let scene = Scene::new();
    scene.verifier.warm_up().await.unwrap();
    scene.mint.rotate();
    scene.fetcher.then(Next::Fail);
    scene.clock.advance(FLOOR);
    let token = scene.mint.token().no_header("kid").encode();
    for _ in 0..2 {
        let denial = scene.verifier.verify(&token).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
    }
    assert_eq!(scene.fetcher.asked().len(), 2);
}

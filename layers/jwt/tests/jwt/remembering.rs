//! The verified-token cache: it changes what a verdict costs, and never the verdict.

use std::sync::LazyLock;

use bartizan_kit::{Algorithm as Alg, Jwks, SigningKey};
use proptest::prelude::*;

use super::{
    fetching::{JWKS, Next, Scripted, remote},
    *,
};

const EXPIRED: &str = "the token has expired";
const DOWN: &str = "no verification keys";
const UNKNOWN: &str = "no key has the token's key id";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The principal's place in memory: the same one was remembered, not verified anew.
async fn place(verifier: &JwtVerifier, token: &str) -> *const u8 {
    verifier.verify(token).await.unwrap().subject().as_ptr()
}

/// Keeps a principal alive, so that no other can take its place.
async fn hold(verifier: &JwtVerifier, token: &str) -> Principal {
    verifier.verify(token).await.unwrap()
}

async fn refused(verifier: &JwtVerifier, token: &str) -> String {
    reason(verifier.verify(token).await)
}

/// Lets a fetch in the background end.
async fn landed() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_warm_token_is_not_verified_anew_unless_the_cache_is_off() {
    let clock = clock();
    let token = mint(&clock).token().encode();
    for (capacity, is_remembered) in [(10_000, true), (1, true), (0, false)] {
        let verifier = builder(&clock).token_cache_capacity(capacity);
        let verifier = verifier.build().unwrap();
        let first = hold(&verifier, &token).await;
        let again = place(&verifier, &token).await;
        assert_eq!(first.subject().as_ptr() == again, is_remembered);
        let clone = place(&verifier.clone(), &token).await;
        assert_eq!(first.subject().as_ptr() == clone, is_remembered);
    }
}

#[tokio::test]
async fn tv_20_a_remembered_token_dies_at_its_expiry() {
    let clock = clock();
    let verifier = builder(&clock).build().unwrap();
    let token = mint(&clock).token().expires_in(100).encode();
    assert_eq!(refused(&verifier, &token).await, "accepted");
    clock.advance(seconds(159));
    assert_eq!(refused(&verifier, &token).await, "accepted", "the leeway");
    clock.advance(seconds(1));
    assert_eq!(refused(&verifier, &token).await, EXPIRED);
    clock.step_wall_to(seconds(NOW));
    assert_eq!(refused(&verifier, &token).await, "accepted");
}

#[tokio::test]
async fn tr_21_a_remembered_token_is_verified_anew_at_the_caches_age() {
    let clock = clock();
    let verifier = builder(&clock)
        .token_cache_age(seconds(30))
        .build()
        .unwrap();
    let token = mint(&clock).token().expires_in(3600).encode();
    let first = hold(&verifier, &token).await;
    clock.advance(seconds(29));
    assert_eq!(place(&verifier, &token).await, first.subject().as_ptr());
    clock.advance(seconds(1));
    assert_ne!(place(&verifier, &token).await, first.subject().as_ptr());
}

#[tokio::test]
async fn tv_20_a_remembered_token_dies_with_its_key() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    let token = mint.token().expires_in(100_000).encode();
    assert_eq!(refused(&verifier, &token).await, "accepted");

    let other = Jwks::of(&[SigningKey::generate(Alg::Es256)]);
    fetcher.then(Next::Answer(other.to_string()));
    clock.advance(seconds(3600));
    // The refresh runs in the background, and the old keys serve meanwhile.
    assert_eq!(refused(&verifier, &token).await, "accepted");
    landed().await;
    assert_eq!(refused(&verifier, &token).await, UNKNOWN);
}

#[tokio::test]
async fn a_refresh_that_brings_the_same_keys_forgets_nothing() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS);
    let verifier = verifier.token_cache_age(seconds(3600)).build().unwrap();
    verifier.warm_up().await.unwrap();
    clock.advance(seconds(60));
    let token = mint.token().expires_in(100_000).encode();
    let first = hold(&verifier, &token).await;
    clock.advance(seconds(3541));
    for _ in 0..2 {
        assert_eq!(place(&verifier, &token).await, first.subject().as_ptr());
        landed().await;
    }
    assert_eq!(fetcher.asked().len(), 2);

    let more = mint.jwks().with(SigningKey::generate(Alg::Es256).jwk());
    fetcher.then(Next::Answer(more.to_string()));
    clock.advance(seconds(31));
    let stranger = mint.token().kid("unknown").encode();
    assert_eq!(refused(&verifier, &stranger).await, UNKNOWN);
    assert_eq!(fetcher.asked().len(), 3);
    assert_ne!(place(&verifier, &token).await, first.subject().as_ptr());
}

#[tokio::test]
async fn a_remembered_token_does_not_outlast_keys_that_are_too_old() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher)
        .jwks_url(JWKS)
        .jwks_cache_ttl(seconds(60))
        .jwks_max_stale(seconds(60));
    let verifier = verifier.token_cache_age(seconds(3600)).build().unwrap();
    let token = mint.token().expires_in(100_000).encode();
    assert_eq!(refused(&verifier, &token).await, "accepted");
    fetcher.then(Next::Fail);
    clock.advance(seconds(119));
    assert_eq!(refused(&verifier, &token).await, "accepted");
    clock.advance(seconds(1));
    assert_eq!(refused(&verifier, &token).await, DOWN);
    fetcher.then(Next::Answer(mint.jwks().to_string()));
    clock.advance(seconds(60));
    verifier.warm_up().await.unwrap();
    assert_eq!(refused(&verifier, &token).await, "accepted");
}

#[tokio::test]
async fn a_forged_token_is_never_remembered() {
    let clock = clock();
    let mint = mint(&clock);
    let verifier = builder(&clock).token_cache_capacity(1).build().unwrap();
    let token = mint.token().encode();
    let first = hold(&verifier, &token).await;
    let [header, claims, signature] = mint.token().sub("root").segments();
    let [_, _, old_signature] = mint.token().segments();
    for forged in [
        mint.token().encode_spoiled(),
        mint.impostor().token().encode(),
        format!("{header}.{claims}.{old_signature}"),
        format!("{header}.{claims}.{signature}x"),
        format!("{token} "),
        token[..token.len() - 1].to_owned(),
        mint.token().aud("https://other.example").encode(),
        mint.token().expires_in(-100).encode(),
        mint.token().unsigned("none").encode(),
    ] {
        let first = refused(&verifier, &forged).await;
        assert_ne!(first, "accepted", "{forged}");
        for _ in 0..20 {
            assert_eq!(refused(&verifier, &forged).await, first);
        }
    }
    // Nor did any of them take the one place that there is.
    assert_eq!(place(&verifier, &token).await, first.subject().as_ptr());
}

#[tokio::test]
async fn a_clock_step_back_makes_a_remembered_token_be_judged_anew() {
    for claim in ["nbf", "iat"] {
        let clock = clock();
        let verifier = builder(&clock).build().unwrap();
        let token = mint(&clock).token().claim(claim, NOW + 100).encode();
        clock.advance(seconds(50));
        assert_eq!(refused(&verifier, &token).await, "accepted", "{claim}");
        clock.step_wall_to(seconds(NOW + 39));
        let early = refused(&verifier, &token).await;
        assert!(early.contains("not valid yet") || early.contains("in the future"));
        clock.step_wall_to(seconds(NOW + 40));
        assert_eq!(refused(&verifier, &token).await, "accepted", "{claim}");
    }
}

#[tokio::test]
async fn tv_21_a_verifier_that_remembers_shows_no_token() {
    let clock = clock();
    let verifier = builder(&clock).build().unwrap();
    let token = mint(&clock).token().encode();
    hold(&verifier, &token).await;
    let shown = format!("{verifier:?}");
    assert!(token.split('.').all(|segment| !shown.contains(segment)));
}

#[test]
fn a_cache_that_is_too_large_or_too_lasting_does_not_build() {
    for (change, setting) in [
        (
            (|b| b.token_cache_capacity(1_000_001)) as fn(JwtVerifierBuilder) -> _,
            "token_cache_capacity",
        ),
        (
            |b| b.token_cache_age(seconds(3601)),
            "token_cache_age_seconds",
        ),
        (|b| b.token_cache_age(seconds(0)), "token_cache_age_seconds"),
    ] {
        let error: JwtConfigError = change(builder(&clock())).build().unwrap_err();
        assert_eq!(error.setting(), setting);
    }
}

/// What happens to two verifiers at once.
#[derive(Debug, Clone)]
enum Step {
    Verify(usize),
    Advance(u64),
    SetWall(u64),
    Publish(usize),
    IssuerFails,
}

/// Tokens and key sets, made at the time `NOW`.
struct Stage {
    tokens: Vec<String>,
    sets: Vec<String>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let mint = mint(&clock());
    let [a, b] = [1, 2].map(|_| SigningKey::generate(Alg::EdDsa));
    let signed = |key| mint.token().expires_in(900).signed_by(key);
    Stage {
        tokens: vec![
            signed(&a).encode(),
            signed(&b).sub("bob").encode(),
            signed(&a).expires_in(100).encode(),
            signed(&a).claim("nbf", NOW + 200).encode(),
            signed(&b).claim("iat", NOW + 200).encode(),
            signed(&a).encode_spoiled(),
            signed(&b).kid(a.kid()).encode(),
            signed(&a).no_header("kid").encode(),
            signed(&a).kid("unknown").encode(),
            signed(&a).aud("https://other.example").encode(),
            signed(&a).claim("roles", 7).encode(),
            "a.b.c".to_owned(),
        ],
        sets: vec![
            Jwks::of([&a]).to_string(),
            Jwks::of([&b]).to_string(),
            Jwks::of([&a, &b]).to_string(),
            format!(" {}", Jwks::of([&a, &b]).to_string()),
        ],
    }
});

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..STAGE.tokens.len()).prop_map(Step::Verify),
        // Those that may be remembered, more often.
        8 => (0..5_usize).prop_map(Step::Verify),
        2 => (0..150_u64).prop_map(Step::Advance),
        1 => (0..1200_u64).prop_map(|n| Step::SetWall(NOW - 100 + n)),
        2 => (0..STAGE.sets.len()).prop_map(Step::Publish),
        1 => Just(Step::IssuerFails),
    ]
}

/// Everything that a caller or an operator can see of a verdict.
async fn verdict(verifier: &JwtVerifier, token: &str) -> String {
    match verifier.verify(token).await {
        Ok(principal) => format!("{:?} {:?}", principal, principal.claims()),
        Err(denial) => format!("{denial:?} {:?}", denial.retry_after()),
    }
}

/// Without optimization the other backend takes milliseconds for a signature.
const CASES: u32 = if cfg!(feature = "aws-lc-rs") { 96 } else { 12 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]
    #[test]
    fn verdicts_with_a_cache_equal_those_without(
        steps in proptest::collection::vec(step(), 1..60),
        capacity in prop_oneof![Just(1_usize), Just(3), Just(100)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let clock = clock();
            let fetcher = Scripted::new(Next::Answer(STAGE.sets[2].clone()));
            let verifier = |capacity| {
                remote(&clock, &fetcher)
                    .jwks_url(JWKS)
                    .jwks_cache_ttl(seconds(90))
                    .jwks_max_stale(seconds(120))
                    .jwks_refetch_floor(seconds(20))
                    .token_cache_capacity(capacity)
                    .build()
                    .unwrap()
            };
            let (with, without) = (verifier(capacity), verifier(0));
            for step in steps {
                match step {
                    Step::Verify(index) => {
                        let token = &STAGE.tokens[index];
                        let expected = verdict(&without, token).await;
                        prop_assert_eq!(verdict(&with, token).await, expected, "token {}", index);
                    }
                    Step::Advance(n) => clock.advance(seconds(n)),
                    Step::SetWall(n) => clock.step_wall_to(seconds(n)),
                    Step::Publish(n) => fetcher.then(Next::Answer(STAGE.sets[n].clone())),
                    Step::IssuerFails => fetcher.then(Next::Fail),
                }
                landed().await;
            }
            Ok(())
        })?;
    }
}

//! Tokens that are revoked before they expire, cold and remembered.

use bartizan_core::{Clock as _, auth::Revocations};

use super::*;

struct Scene {
    layer: JwtLayer,
    list: Revocations,
    clock: FakeClock,
    mint: TokenMint,
}

impl Scene {
    fn new(capacity: usize) -> Self {
        Self::of(|builder| builder.token_cache_capacity(capacity))
    }

    fn with_leeway(seconds: u64) -> Self {
        Self::of(|builder| builder.leeway(Duration::from_secs(seconds)))
    }

    fn of(change: impl FnOnce(JwtVerifierBuilder) -> JwtVerifierBuilder) -> Self {
        let clock = clock();
        let list = Revocations::with_clock(10, clock.clone());
        let verifier = change(builder(&clock))
            .revocations(list.clone())
            .build()
            .unwrap();
        Self {
            layer: JwtLayer::new(verifier),
            list,
            mint: mint(&clock),
            clock,
        }
    }

    fn in_an_hour(&self) -> Duration {
        self.clock.wall() + Duration::from_secs(3600)
    }

    async fn status(&self, token: &str) -> StatusCode {
        let answer = send(&self.layer, request(&format!("Bearer {token}"))).await;
        let status = answer.status();
        let says_invalid = challenge(&answer).contains(r#"error="invalid_token""#);
        assert_eq!(says_invalid, status == StatusCode::UNAUTHORIZED);
        status
    }
}

#[tokio::test]
async fn ac_5_a_revoked_token_is_refused_with_invalid_token_from_the_next_request_on() {
    for capacity in [0, 100] {
        let scene = Scene::new(capacity);
        let token = |jti: &str| scene.mint.token().claim("jti", jti).encode();
        let (one, other) = (token("one"), token("other"));
        for _ in 0..2 {
            assert_eq!(scene.status(&one).await, StatusCode::OK);
        }
        let until = scene.in_an_hour();
        scene.list.revoke_credential(I, "one", until).unwrap();
        for _ in 0..2 {
            assert_eq!(scene.status(&one).await, StatusCode::UNAUTHORIZED);
            assert_eq!(scene.status(&other).await, StatusCode::OK);
        }
        // Another token with the same id is no way around it.
        let again = scene.mint.token().claim("jti", "one").expires_in(1000);
        assert_eq!(
            scene.status(&again.encode()).await,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_session_that_ended_takes_its_tokens_with_it() {
    let scene = Scene::new(100);
    let token = |sid: &str| scene.mint.token().claim("sid", sid).encode();
    let (ended, open) = (token("s1"), token("s2"));
    assert_eq!(scene.status(&ended).await, StatusCode::OK);
    scene
        .list
        .revoke_session(I, "s1", scene.in_an_hour())
        .unwrap();
    assert_eq!(scene.status(&ended).await, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.status(&open).await, StatusCode::OK);
}

#[tokio::test]
async fn a_subject_who_is_locked_out_comes_back_with_a_newer_token_only() {
    let scene = Scene::new(100);
    let old = scene.mint.token().encode();
    assert_eq!(scene.status(&old).await, StatusCode::OK);
    scene
        .list
        .revoke_subject(I, "ann", scene.in_an_hour())
        .unwrap();
    assert_eq!(scene.status(&old).await, StatusCode::UNAUTHORIZED);
    let timeless = scene.mint.token().no_claim("iat").encode();
    assert_eq!(scene.status(&timeless).await, StatusCode::UNAUTHORIZED);
    let bob = scene.mint.token().sub("bob").encode();
    assert_eq!(scene.status(&bob).await, StatusCode::OK);
    scene.clock.advance(Duration::from_secs(60));
    let within_the_skew = scene.mint.token().encode();
    assert_eq!(
        scene.status(&within_the_skew).await,
        StatusCode::UNAUTHORIZED
    );
    scene.clock.advance(Duration::from_secs(1));
    let new = scene.mint.token().encode();
    assert_eq!(scene.status(&new).await, StatusCode::OK);
    assert_eq!(scene.status(&old).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_issuer_whose_clock_is_ahead_does_not_save_a_stolen_token_from_its_subjects_revocation()
{
    for leeway in [0, 60, 300] {
        let scene = Scene::with_leeway(leeway);
        // What the issuer signed before the revocation, as far ahead as would be accepted.
        let stolen = scene.mint.token().claim("iat", NOW + leeway).encode();
        assert_eq!(scene.status(&stolen).await, StatusCode::OK);
        scene
            .list
            .revoke_subject(I, "ann", scene.in_an_hour())
            .unwrap();
        assert_eq!(
            scene.status(&stolen).await,
            StatusCode::UNAUTHORIZED,
            "{leeway}"
        );
    }
}

#[tokio::test]
async fn ac_16_where_it_is_not_known_what_others_revoked_the_answer_is_503_without_a_challenge() {
    let scene = Scene::new(100);
    let feed = scene.list.depend_on_feed(Duration::from_secs(10)).unwrap();
    let token = scene.mint.token().encode();
    for _ in 0..2 {
        let answer = send(&scene.layer, request(&format!("Bearer {token}"))).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(challenge(&answer), "");
        feed.touch();
        assert_eq!(scene.status(&token).await, StatusCode::OK);
        scene.clock.advance(Duration::from_secs(10));
    }
}

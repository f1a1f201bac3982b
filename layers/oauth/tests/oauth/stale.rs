//! What is believed of good tokens while nothing newer is to be had.

use bartizan_core::auth::Revocations;

use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

#[tokio::test]
async fn a_good_token_is_believed_for_a_bounded_time_while_its_provider_is_limited_or_down() {
    for trouble in [
        Answer::status(429).with("retry-after", "3600"),
        Answer::status(503),
        Answer::status(500),
        Answer::status(401),
    ] {
        let (provider, clock) = (of_ann().await, clock());
        let build = builder(&provider, &clock).stale_age(S(300));
        let verifier = build.build().unwrap();
        let ask = async || reason(verifier.verify("token").await);
        assert_eq!(ask().await, "accepted");
        let status = trouble.status;
        provider.behave(move |_| trouble.clone());
        for _ in 0..12 {
            clock.advance(S(29));
            assert_eq!(ask().await, "accepted", "{status}");
        }
        clock.advance(S(12));
        let denial = verifier.verify("token").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable, "{status}");
        // One that was never good is not.
        let denial = verifier.verify("other").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable, "{status}");
        // As soon as it answers, it is asked.
        provider.behave(|_| Answer::json(&json!({ "active": false })));
        clock.advance(S(300));
        assert_eq!(ask().await, "the provider says the token is not active");
    }
}

#[tokio::test]
async fn tv_14_never_past_its_own_expiry() {
    let (provider, clock) = (of_ann().await, clock());
    let mut soon = ann();
    soon["exp"] = json!(NOW + 100);
    provider.behave(move |_| Answer::json(&soon));
    let verifier = builder(&provider, &clock).build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
    provider.behave(|_| Answer::status(500));
    clock.advance(S(99));
    assert_eq!(reason(verifier.verify("token").await), "accepted");
    clock.advance(S(1));
    let denial = verifier.verify("token").await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
}

#[tokio::test]
async fn a_revocation_of_ours_counts_all_the_same() {
    let (provider, clock) = (of_ann().await, clock());
    let list = Revocations::with_clock(10, clock.clone());
    let build = builder(&provider, &clock).revocations(list.clone());
    let verifier = build.build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
    provider.behave(|_| Answer::status(500));
    clock.advance(S(61));
    assert_eq!(reason(verifier.verify("token").await), "accepted");
    list.revoke_subject(&provider.url(), "ann", S(NOW + 3600))
        .unwrap();
    let revoked = "what the subject was issued until then is revoked";
    assert_eq!(reason(verifier.verify("token").await), revoked);
}

#[tokio::test]
async fn a_no_is_a_no_and_no_outage_brings_the_yes_back() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock).build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
    provider.behave(|_| Answer::json(&json!({ "active": false })));
    clock.advance(S(60));
    let inactive = "the provider says the token is not active";
    assert_eq!(reason(verifier.verify("token").await), inactive);
    provider.behave(|_| Answer::status(500));
    clock.advance(S(11));
    let denial = verifier.verify("token").await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
}

#[tokio::test]
async fn without_memory_nothing_is_stale_either() {
    let (provider, clock) = (of_ann().await, clock());
    let build = builder(&provider, &clock).token_cache_age(Duration::ZERO);
    let verifier = build.build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
    provider.behave(|_| Answer::status(500));
    assert!(verifier.verify("token").await.is_err());
}

#[tokio::test]
async fn what_the_provider_refuses_to_tell_of_one_token_brings_no_old_yes_back() {
    let silent = Answer::json(&json!({ "sub": "ann" }));
    for trouble in [Answer::status(400), Answer::status(404), silent] {
        let (provider, clock) = (of_ann().await, clock());
        let verifier = builder(&provider, &clock).build().unwrap();
        assert!(verifier.verify("token").await.is_ok());
        let reply = trouble.clone();
        provider.behave(move |_| reply.clone());
        clock.advance(S(60));
        for _ in 0..3 {
            let denial = verifier.verify("token").await.unwrap_err();
            assert_eq!(denial.kind(), DenialKind::Unavailable, "{trouble:?}");
            clock.advance(S(11));
        }
    }
}

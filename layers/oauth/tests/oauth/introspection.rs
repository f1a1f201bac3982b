//! What is asked, how often, and what is remembered.

use bartizan_core::auth::Revocations;

use super::*;

#[tokio::test]
async fn an_active_token_is_a_principal_and_the_question_is_rfc_7662s() {
    let provider = of_ann().await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    let ann = verifier.verify("2YotnFZFEjr1zCsicMWpAA").await.unwrap();
    assert_eq!((ann.subject(), ann.issuer()), ("ann", &*provider.url()));
    assert_eq!(ann.method(), "introspection");
    assert!(ann.scopes().eq(["tools:call", "tools:list"]));
    let [asked] = provider.asked().try_into().unwrap();
    assert_eq!(
        (asked.method.as_str(), asked.uri.path()),
        ("POST", "/introspect")
    );
    assert_eq!(asked.field("token").unwrap(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(asked.field("token_type_hint").unwrap(), "access_token");
    assert_eq!(
        asked.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(asked.header("accept"), "application/json");
    assert_eq!(asked.header("authorization"), "Basic bWNwOnNlY3JldA==");
}

#[tokio::test]
async fn a_token_is_asked_about_once_for_all_who_wait_and_those_who_left() {
    let provider =
        Provider::start(|_| Answer::json(&ann()).after(Duration::from_millis(100))).await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    // The first who asks goes away; the others have their answer all the same.
    let first = verifier.clone();
    let first = tokio::spawn(async move { first.verify("token").await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    first.abort();
    let asking = (0..50).map(|_| {
        let verifier = verifier.clone();
        tokio::spawn(async move { reason(verifier.verify("token").await) })
    });
    for one in asking.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), "accepted");
    }
    assert_eq!(provider.count(), 1);
    assert_eq!(reason(verifier.verify("other").await), "accepted");
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_good_token_is_remembered_for_its_time_and_never_past_its_expiry() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock).build().unwrap();
    let ask = async || reason(verifier.verify("token").await);
    assert_eq!(ask().await, "accepted");
    clock.advance(Duration::from_secs(59));
    assert_eq!(ask().await, "accepted");
    assert_eq!(provider.count(), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask().await, "accepted");
    assert_eq!(provider.count(), 2);
    // Its end comes sooner than that of the memory.
    let mut soon = ann();
    soon["exp"] = json!(NOW + 60 + 61);
    provider.behave(move |_| Answer::json(&soon));
    clock.advance(Duration::from_secs(60));
    assert_eq!(ask().await, "accepted");
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask().await, "the token has expired");
    assert_eq!(provider.count(), 4);
}

#[tokio::test]
async fn a_bad_token_is_remembered_shortly() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|_| Answer::json(&json!({ "active": false })));
    let verifier = builder(&provider, &clock).build().unwrap();
    let inactive = "the provider says the token is not active";
    for _ in 0..5 {
        assert_eq!(reason(verifier.verify("token").await), inactive);
    }
    assert_eq!(provider.count(), 1);
    // Issued a moment after somebody tried it.
    provider.behave(|_| Answer::json(&ann()));
    clock.advance(Duration::from_secs(10));
    assert_eq!(reason(verifier.verify("token").await), "accepted");
}

#[tokio::test]
async fn without_memory_every_request_asks() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock)
        .token_cache_age(Duration::ZERO)
        .refused_cache_age(Duration::ZERO)
        .build()
        .unwrap();
    for asked in 1..4 {
        assert_eq!(reason(verifier.verify("token").await), "accepted");
        assert_eq!(provider.count(), asked);
    }
}

#[tokio::test]
async fn a_revocation_of_ours_is_seen_at_once_though_the_token_is_remembered() {
    let (provider, clock) = (of_ann().await, clock());
    let list = Revocations::with_clock(10, clock.clone());
    let verifier = builder(&provider, &clock)
        .revocations(list.clone())
        .build()
        .unwrap();
    assert_eq!(reason(verifier.verify("token").await), "accepted");
    let until = Duration::from_secs(NOW + 3600);
    list.revoke_subject(&provider.url(), "ann", until).unwrap();
    let revoked = "what the subject was issued until then is revoked";
    assert_eq!(reason(verifier.verify("token").await), revoked);
    assert_eq!(reason(verifier.verify("another").await), revoked);
}

#[tokio::test]
async fn what_is_no_bearer_token_is_not_sent_to_anybody() {
    let provider = of_ann().await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    for token in ["", "a b", "a&token=b", "a\"", "é", "%61"] {
        assert_eq!(reason(verifier.verify(token).await), "not a bearer token");
    }
    let long = "a".repeat(4097);
    assert_eq!(
        reason(verifier.verify(&long).await),
        "the token is too long"
    );
    assert_eq!(provider.count(), 0);
}

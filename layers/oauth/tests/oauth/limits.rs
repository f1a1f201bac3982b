//! Whom a flood of tokens keeps out, and whom not.

use super::*;

async fn accepted(verifier: &OpaqueVerifier, tokens: impl Iterator<Item = String>) -> usize {
    let asking = tokens.map(|token| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.verify(&token).await.is_ok() })
    });
    let mut accepted = 0;
    for one in asking.collect::<Vec<_>>() {
        accepted += usize::from(one.await.unwrap());
    }
    accepted
}

#[tokio::test]
async fn many_tokens_at_once_are_not_many_questions_at_once() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock)
        .max_lookups(4)
        .stale_age(Duration::ZERO)
        .build()
        .unwrap();
    assert!(verifier.verify("known").await.is_ok());
    clock.advance(Duration::from_secs(60));
    provider.behave(|_| Answer::json(&ann()).after(Duration::from_millis(300)));
    let begun = Instant::now();
    let flood = verifier.clone();
    let flood =
        tokio::spawn(async move { accepted(&flood, (0..40).map(|n| format!("token-{n}"))).await });
    while provider.count() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What is left is for those who were known before.
    assert_eq!(reason(verifier.verify("known").await), "accepted");
    assert_eq!((flood.await.unwrap(), provider.count()), (3, 5));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(verifier.verify("token-39").await.is_ok());
}

#[tokio::test]
async fn those_who_wait_are_bounded_and_known_tokens_have_seats_of_their_own() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock)
        .max_waiting(8)
        .stale_age(Duration::ZERO)
        .build()
        .unwrap();
    assert!(verifier.verify("known").await.is_ok());
    clock.advance(Duration::from_secs(60));
    provider.behave(|_| Answer::json(&ann()).after(Duration::from_millis(300)));
    let flood = verifier.clone();
    let same = std::iter::repeat_n("token".to_owned(), 40);
    let flood = tokio::spawn(async move { accepted(&flood, same).await });
    while provider.count() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let denial = verifier.verify("other").await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert!(denial.reason().ends_with("too many requests wait"));
    assert_eq!(reason(verifier.verify("known").await), "accepted");
    assert_eq!((flood.await.unwrap(), provider.count()), (6, 3));
    // The seats are free again.
    assert!(verifier.verify("other").await.is_ok());
}

#[tokio::test]
async fn made_up_tokens_spend_a_budget_of_their_own() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|asked| match asked.field("token").as_deref() {
        Some("known") => Answer::json(&ann()),
        _ => Answer::json(&json!({ "active": false })),
    });
    let (events, seen) = collected();
    let verifier = builder(&provider, &clock)
        .new_tokens_per_minute(2)
        .stale_age(Duration::ZERO)
        .events(events)
        .build()
        .unwrap();
    assert!(verifier.verify("known").await.is_ok());
    // Ten minutes' worth, of which the known token had one.
    for n in 0..40 {
        let denial = verifier.verify(&format!("made-up-{n}")).await.unwrap_err();
        let is_asked = denial.kind() == DenialKind::CredentialsInvalid;
        assert_eq!(is_asked, n < 19, "{n}");
        if !is_asked {
            assert_eq!(denial.kind(), DenialKind::Unavailable);
            assert_eq!(denial.retry_after(), Some(Duration::from_secs(30)));
        }
    }
    assert_eq!(provider.count(), 20);
    assert_eq!(seen.lock().unwrap().len(), 1, "{seen:?}");
    // Neither refused ones that are remembered nor known ones need it.
    let inactive = "the provider says the token is not active";
    assert_eq!(reason(verifier.verify("made-up-0").await), inactive);
    clock.advance(Duration::from_secs(60));
    assert!(verifier.verify("made-up-50").await.is_err());
    assert!(verifier.verify("made-up-51").await.is_err());
    assert!(verifier.verify("made-up-52").await.is_err());
    assert_eq!(provider.count(), 22);
    assert_eq!(reason(verifier.verify("known").await), "accepted");
    assert_eq!(provider.count(), 23);
}

#[tokio::test]
async fn any_number_of_bad_tokens_pushes_out_no_good_one() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|asked| match asked.field("token").as_deref() {
        Some(token) if token.starts_with("good") => Answer::json(&ann()),
        _ => Answer::json(&json!({ "active": false })),
    });
    let verifier = builder(&provider, &clock)
        .token_cache_capacity(64)
        .build()
        .unwrap();
    for n in 0..16 {
        assert!(verifier.verify(&format!("good-{n}")).await.is_ok());
    }
    for n in 0..500 {
        assert!(verifier.verify(&format!("bad-{n}")).await.is_err());
    }
    assert_eq!(provider.count(), 516);
    for n in 0..16 {
        assert!(verifier.verify(&format!("good-{n}")).await.is_ok());
    }
    assert_eq!(provider.count(), 516);
}

#[tokio::test]
async fn a_token_that_the_provider_chokes_on_is_not_shown_again_at_once() {
    let (provider, clock) = (of_ann().await, clock());
    provider.behave(|_| Answer::status(400));
    let verifier = builder(&provider, &clock).build().unwrap();
    for (passed, after) in [(0, 10), (0, 10), (3, 7), (6, 1)] {
        clock.advance(Duration::from_secs(passed));
        let denial = verifier.verify("choke").await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        assert_eq!(denial.retry_after(), Some(Duration::from_secs(after)));
    }
    assert_eq!(provider.count(), 1);
    clock.advance(Duration::from_secs(1));
    provider.behave(|_| Answer::json(&ann()));
    assert_eq!(reason(verifier.verify("choke").await), "accepted");
}

#[tokio::test]
async fn questions_share_a_connection_rather_than_make_one_each() {
    let provider = Provider::keeping_alive(|_| Answer::json(&ann())).await;
    let verifier = builder(&provider, &clock()).build().unwrap();
    for n in 0..20 {
        assert!(verifier.verify(&format!("token-{n}")).await.is_ok());
    }
    assert_eq!((provider.count(), provider.connections()), (20, 1));
}

#[tokio::test]
async fn whoever_makes_tokens_up_leaves_most_of_the_budget_to_other_addresses() {
    let provider = Provider::start(|asked| match asked.field("token").as_deref() {
        Some("good") => Answer::json(&ann()),
        _ => Answer::json(&json!({ "active": false })),
    })
    .await;
    let verifier = builder(&provider, &clock()).new_tokens_per_minute(4);
    let layer = OAuthLayer::new(verifier.build().unwrap());
    let ask = async |token: &str, address: &str| {
        let mut request = request(&format!("Bearer {token}"));
        let context = SecurityContext::of(&mut request);
        context
            .set_client_address(address.parse().unwrap())
            .unwrap();
        send(layer.clone(), request).await.status().as_u16()
    };
    for n in 0..60 {
        // All of one network.
        let status = ask(&format!("made-up-{n}"), &format!("2001:db8::{n}")).await;
        assert_eq!(status, if n < 4 { 401 } else { 503 }, "{n}");
    }
    assert_eq!(provider.count(), 4);
    assert_eq!(ask("good", "2001:db8::1").await, 503);
    assert_eq!(ask("good", "2001:db8:0:1::1").await, 200);
    // Known by now, it needs no budget.
    assert_eq!(ask("good", "2001:db8::1").await, 200);
}

#[tokio::test]
async fn for_want_of_a_seat_no_old_yes_is_given_while_a_newer_answer_is_on_its_way() {
    let (provider, clock) = (of_ann().await, clock());
    let verifier = builder(&provider, &clock).max_waiting(1).build().unwrap();
    assert!(verifier.verify("token").await.is_ok());
    clock.advance(Duration::from_secs(60));
    let no = Answer::json(&json!({ "active": false })).after(Duration::from_millis(300));
    provider.behave(move |_| no.clone());
    let first = verifier.clone();
    let first = tokio::spawn(async move { reason(first.verify("token").await) });
    while provider.count() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let denial = verifier.verify("token").await.unwrap_err();
    assert!(denial.reason().ends_with("too many requests wait"));
    let inactive = "the provider says the token is not active";
    assert_eq!(first.await.unwrap(), inactive);
    assert_eq!(reason(verifier.verify("token").await), inactive);
}

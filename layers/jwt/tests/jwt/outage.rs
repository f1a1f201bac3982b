use super::{
    fetching::{JWKS, Next, Scripted, remote},
    *,
};

const SECOND: Duration = Duration::from_secs(1);

/// The verdict, if it is there without a wait.
async fn at_once(verifier: &JwtVerifier, token: &str) -> Option<Result<Principal, Denial>> {
    let briefly = Duration::from_millis(200);
    let verdict = tokio::time::timeout(briefly, verifier.verify(token)).await;
    verdict.ok()
}

async fn is_down_at_once(verifier: &JwtVerifier, token: &str) {
    let denial = at_once(verifier, token).await.expect("no wait");
    assert_eq!(denial.unwrap_err().kind(), DenialKind::Unavailable);
}

#[tokio::test]
async fn ac_16_who_comes_after_a_failed_fetch_does_not_wait_for_the_next_one() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Hang);
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS);
    let verifier = verifier.fetch_timeout(SECOND).build().unwrap();
    let token = mint.token().expires_in(1_000_000).encode();
    let denial = verifier.verify(&token).await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    for asked in 2..4 {
        clock.advance(6 * SECOND);
        is_down_at_once(&verifier, &token).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(fetcher.asked().len(), asked, "the attempts go on");
    }
    // Whoever wants to wait can.
    fetcher.then(Next::Answer(mint.jwks().to_string()));
    clock.advance(6 * SECOND);
    verifier.warm_up().await.unwrap();
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
}

#[tokio::test]
async fn ac_16_an_unknown_kid_does_not_wait_for_an_issuer_that_is_known_to_be_down() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS);
    let verifier = verifier.fetch_timeout(SECOND).build().unwrap();
    verifier.warm_up().await.unwrap();
    fetcher.then(Next::Hang);
    clock.advance(31 * SECOND);
    let unknown = mint.token().kid("unknown").encode();
    let denial = verifier.verify(&unknown).await.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    clock.advance(31 * SECOND);
    is_down_at_once(&verifier, &unknown).await;
    tokio::task::yield_now().await;
    assert_eq!(fetcher.asked().len(), 3);
    let known = mint.token().encode();
    assert_eq!(reason(verifier.verify(&known).await), "accepted");
}

#[tokio::test]
async fn no_more_than_a_bounded_number_of_requests_wait_for_keys() {
    let clock = clock();
    let mint = mint(&clock);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let fetcher = Scripted::new(Next::Hold(Arc::clone(&gate), mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    let token = mint.token().encode();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1024 {
        let (verifier, token) = (verifier.clone(), token.clone());
        waiting.spawn(async move { reason(verifier.verify(&token).await) });
    }
    // So long as it takes for all of them to wait.
    for _ in 0..1024 {
        tokio::task::yield_now().await;
    }
    let denial = at_once(&verifier, &token).await.expect("no room");
    let denial = denial.unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(denial.retry_after(), Some(SECOND));
    // Who goes away makes room.
    waiting.shutdown().await;
    assert!(at_once(&verifier, &token).await.is_none(), "it waits");
    gate.add_permits(1);
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
}

#[tokio::test]
async fn keys_beyond_their_bound_are_asked_for_as_often_as_if_there_were_none() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).build().unwrap();
    verifier.warm_up().await.unwrap();
    let token = mint.token().expires_in(1_000_000).encode();
    fetcher.then(Next::Fail);
    clock.advance(Duration::from_secs(26 * 3600));
    let denial = verifier.verify(&token).await.unwrap_err();
    assert_eq!(denial.retry_after(), Some(5 * SECOND));
    assert_eq!(fetcher.asked().len(), 2);
    fetcher.then(Next::Answer(mint.jwks().to_string()));
    clock.advance(5 * SECOND);
    verifier.warm_up().await.unwrap();
    assert_eq!(fetcher.asked().len(), 3);
    assert_eq!(reason(verifier.verify(&token).await), "accepted");
}

#[test]
fn a_runtime_without_timers_is_answered_503() {
    let clock = clock();
    let mint = mint(&clock);
    let fetcher = Scripted::new(Next::Answer(mint.jwks().to_string()));
    let (events, seen) = collected();
    let verifier = remote(&clock, &fetcher).jwks_url(JWKS).events(events);
    let verifier = verifier.build().unwrap();
    let token = mint.token().expires_in(1_000_000).encode();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(async {
        let denial = verifier.verify(&token).await.unwrap_err();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        let unavailable = verifier.warm_up().await.unwrap_err().to_string();
        assert!(unavailable.contains("no timers"), "{unavailable}");
    });
    let is_told = seen.lock().unwrap().iter().any(|e| e.contains("no timers"));
    assert!(is_told);
    clock.advance(6 * SECOND);
    let timed = runtime.enable_time().build().unwrap();
    timed.block_on(verifier.warm_up()).unwrap();
    // A wait for another runtime's fetch cannot be bounded there either.
    clock.advance(31 * SECOND);
    fetcher.then(Next::Hang);
    let unknown = mint.token().kid("unknown").encode();
    let briefly = Duration::from_millis(20);
    let begun =
        timed.block_on(async { tokio::time::timeout(briefly, verifier.verify(&unknown)).await });
    assert!(begun.is_err());
    let timeless = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let denial = timeless.block_on(verifier.verify(&unknown)).unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
}

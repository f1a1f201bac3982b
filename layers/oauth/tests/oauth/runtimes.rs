//! What becomes of looks where their runtime is not as it should be.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::*;

/// A provider on a runtime of its own.
fn serving(answer: Answer) -> (tokio::runtime::Runtime, Provider) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let provider = runtime.block_on(Provider::start(move |_| answer.clone()));
    (runtime, provider)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_runtime_that_went_away_holds_nobody_up() {
    let (_serving, provider) = serving(Answer::json(&ann()).after(Duration::from_millis(50)));
    let (events, seen) = collected();
    let verifier = builder(&provider, &clock()).events(events).build().unwrap();
    let first = runtime();
    let asked = first.block_on(async {
        tokio::time::timeout(Duration::from_millis(10), verifier.verify("token")).await
    });
    assert!(asked.is_err());
    drop(first);
    let second = runtime();
    let asked = second.block_on(verifier.verify("token"));
    assert_eq!(reason(asked), "accepted");
    // That our runtime went away is no outage of the provider.
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn outside_of_a_runtime_with_a_timer_nobody_is_asked_and_nothing_panics() {
    const REASON: &str = "nothing is known of the token: not inside a tokio runtime with a timer";
    let (_serving, provider) = serving(Answer::json(&ann()).after(Duration::from_millis(50)));
    let verifier = builder(&provider, &clock()).build().unwrap();
    let timerless = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(verifier.verify("token"))
    };
    let without = || {
        let mut verifying = pin!(verifier.verify("token"));
        match verifying
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("waits for what never comes"),
        }
    };
    assert_eq!(reason(timerless()), REASON);
    assert_eq!(reason(without()), REASON);
    assert_eq!(provider.count(), 0);
    // Not even by joining a look of others.
    let first = runtime();
    let asked = first.block_on(async {
        tokio::time::timeout(Duration::from_millis(10), verifier.verify("token")).await
    });
    assert!(asked.is_err());
    let denial = without().unwrap_err();
    assert_eq!(denial.kind(), DenialKind::Unavailable);
    assert_eq!(denial.reason(), REASON);
    assert_eq!(reason(timerless()), REASON);
}

#[test]
fn an_answer_that_lands_late_takes_no_newer_ones_place() {
    let (_serving, provider) = serving(Answer::json(&ann()));
    let (events, seen) = collected();
    let clock = clock();
    let verifier = builder(&provider, &clock).events(events).build().unwrap();
    let first = runtime();
    let asked = first.block_on(async {
        provider.behave(|_| Answer::json(&ann()).after(Duration::from_millis(50)));
        tokio::time::timeout(Duration::from_millis(10), verifier.verify("token")).await
    });
    assert!(asked.is_err());
    // The first runtime stands still for longer than a look may take.
    clock.advance(Duration::from_secs(6));
    provider.behave(|_| Answer::json(&json!({ "active": false })));
    let second = runtime();
    let inactive = "the provider says the token is not active";
    assert_eq!(reason(second.block_on(verifier.verify("token"))), inactive);
    first.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    assert_eq!(reason(second.block_on(verifier.verify("token"))), inactive);
    assert_eq!(provider.count(), 2);
    assert!(seen.lock().unwrap().is_empty());
}

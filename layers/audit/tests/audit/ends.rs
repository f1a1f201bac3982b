//! Every way a request can end leaves one record.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bartizan_audit::{AuditLayer, Records};
use bartizan_core::{FakeClock, Finding, SecurityContext, Verdict, admit};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::common::*;

/// The record of a request that the actor handles, however that ends.
fn acted(act: Act, polls: u32) -> Value {
    let records = Records::new();
    let mut service = AuditLayer::new(records.clone()).layer(Actor(act));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut future = Box::pin(service.call(empty()));
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            if future.as_mut().poll(&mut cx).is_ready() {
                break;
            }
        }
    }));
    drop(caught);
    only(&records)
}

#[test]
fn seed_u12_successes_refusals_errors_panics_and_aborts_are_told_apart() {
    for (act, polls, outcome, result, status) in [
        (Act::Answer(200), 1, "admitted", "success", json!(200)),
        (Act::Answer(404), 1, "admitted", "failure", json!(404)),
        (Act::Answer(502), 1, "failed", "error", json!(502)),
        (Act::Refuse, 1, "refused", "failure", json!(403)),
        (Act::Fail, 1, "failed", "error", Value::Null),
        (Act::PanicInCall, 0, "panicked", "error", Value::Null),
        (Act::PanicInPoll, 1, "panicked", "error", Value::Null),
        (Act::Answer(200), 0, "aborted", "aborted", Value::Null),
        (Act::Never, 2, "aborted", "aborted", Value::Null),
        (Act::AnswerLater, 2, "aborted", "aborted", Value::Null),
        (Act::AnswerLater, 3, "admitted", "success", json!(200)),
    ] {
        let record = acted(act, polls);
        let case = format!("{act:?} after {polls}");
        assert_eq!(record["outcome"], outcome, "{case}");
        assert_eq!(record["result"], result, "{case}");
        assert_eq!(record["status"], status, "{case}");
    }
}

#[tokio::test]
async fn the_inner_error_comes_out_as_it_was() {
    let layer = AuditLayer::new(Records::new());
    let failed = layer.layer(Actor(Act::Fail)).oneshot(empty()).await;
    assert_eq!(failed.unwrap_err(), Broken);
}

#[tokio::test]
async fn sh_4_under_a_catcher_a_panic_is_recorded_with_what_became_of_it() {
    // As the headers layer does it: catches, refuses, and only then drops the future.
    for act in [Act::PanicInCall, Act::PanicInPoll] {
        let records = Records::new();
        let mut service = AuditLayer::new(records.clone()).layer(Actor(act));
        let mut request = empty();
        let context = SecurityContext::of(&mut request);
        let noted = || {
            context.record(|| Finding::new("catcher", Verdict::Refused, "internal", "it panicked"));
        };
        let called = catch_unwind(AssertUnwindSafe(|| service.call(request)));
        if let Ok(future) = called {
            let mut future = Box::pin(future);
            let mut cx = Context::from_waker(Waker::noop());
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
            assert!(polled.is_err());
            noted();
            assert!(records.lines().is_empty(), "the catcher is not done");
            drop(future);
            assert_eq!(only(&records)["findings"][0]["layer"], "catcher");
        }
        assert_eq!(only(&records)["outcome"], "panicked");
    }
}

#[test]
fn a_future_that_is_polled_again_after_its_panic_still_has_one_record() {
    let records = Records::new();
    let mut service = AuditLayer::new(records.clone()).layer(Actor(Act::PanicInPoll));
    let mut future = Box::pin(service.call(empty()));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        assert!(polled.is_err());
    }
    drop(future);
    assert_eq!(only(&records)["outcome"], "panicked");
}

#[tokio::test]
async fn a_panic_in_a_task_is_recorded_while_it_unwinds() {
    let records = Records::new();
    let service = AuditLayer::new(records.clone()).layer(Actor(Act::PanicInPoll));
    let task = tokio::spawn(service.oneshot(empty()));
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(only(&records)["outcome"], "panicked");
}

#[tokio::test]
async fn al_3_a_refusal_carries_its_kind_and_reason_and_every_guard_is_named() {
    let (record, answer) = through(empty(), |mut request| async move {
        let context = SecurityContext::of(&mut request);
        admit!("network", &context, "host_allowed");
        admit!("cors", &context, "no_origin", "no `Origin`");
        context.record(|| Finding::new("auth", Verdict::Noted, "key_rotated", "kid `b`"));
        let denial = bartizan_core::Denial::new(
            bartizan_core::DenialKind::ScopeInsufficient,
            "`tools:call` is missing",
        );
        let refused: Response<bartizan_core::ResponseBody<Body>> =
            bartizan_core::refuse!("rbac", &context, denial);
        let (parts, _) = refused.into_parts();
        Response::from_parts(parts, Body::default())
    })
    .await;
    assert_eq!(answer.status(), 403);
    assert_eq!(record["event_type"], "authorization_denied");
    assert_eq!(record["metadata"]["denial"], "scope_insufficient");
    assert_eq!(
        record["findings"],
        json!([
            { "layer": "network", "verdict": "allowed", "kind": "host_allowed" },
            { "layer": "cors", "verdict": "allowed", "kind": "no_origin", "reason": "no `Origin`" },
            { "layer": "auth", "verdict": "noted", "kind": "key_rotated", "reason": "kid `b`" },
            { "layer": "rbac", "verdict": "refused", "kind": "scope_insufficient",
              "reason": "`tools:call` is missing" },
        ])
    );
}

#[tokio::test]
async fn findings_that_did_not_fit_are_counted() {
    let (record, _) = through(empty(), |mut request| async move {
        let context = SecurityContext::of(&mut request);
        for _ in 0..70 {
            admit!("loop", &context, "again");
        }
        ok()
    })
    .await;
    assert_eq!(record["findings"].as_array().unwrap().len(), 64);
    assert_eq!(record["findings_dropped"], 6);
}

#[tokio::test]
async fn latency_is_the_monotonic_clocks_and_the_timestamp_the_arrival() {
    let (clock, records) = (FakeClock::at(NOW), Records::new());
    let layer = AuditLayer::new(records.clone()).clock(clock.clone());
    let inner = service_fn(|_: Request<Body>| {
        clock.advance(Duration::from_micros(1_234_567));
        clock.step_wall_to(Duration::from_secs(5));
        async { Ok::<_, Broken>(ok()) }
    });
    layer.layer(inner).oneshot(empty()).await.unwrap();
    let record = only(&records);
    assert_eq!(record["latency_us"], 1_234_567);
    assert_eq!(record["timestamp"], "2026-11-23T15:00:00.000000Z");
}

#[tokio::test]
async fn a_dropped_call_records_what_inner_layers_say_as_they_are_dropped() {
    struct SaysSo(SecurityContext);
    impl Drop for SaysSo {
        fn drop(&mut self) {
            self.0
                .record(|| Finding::new("limit", Verdict::Noted, "given_back", ""));
        }
    }
    let records = Records::new();
    let inner = service_fn(|mut request: Request<Body>| {
        let says_so = SaysSo(SecurityContext::of(&mut request));
        async move {
            std::future::pending::<()>().await;
            drop(says_so);
            Ok::<_, Broken>(ok())
        }
    });
    let mut future = Box::pin(
        AuditLayer::new(records.clone())
            .layer(inner)
            .oneshot(empty()),
    );
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(future.as_mut().poll(&mut cx), Poll::Pending));
    drop(future);
    let record = only(&records);
    assert_eq!(record["outcome"], "aborted");
    assert_eq!(record["findings"][0]["kind"], "given_back");
}

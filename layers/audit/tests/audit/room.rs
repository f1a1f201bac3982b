//! What happens when the record has no room.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bartizan_audit::{AuditLayer, AuditSink, JsonLines, Record, Records};
use bartizan_core::{Denial, DenialKind, FakeClock, Finding, SecurityContext, Verdict};
use http::Request;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{
    common::*,
    json_lines::{Gated, PATIENCE},
};

/// An inner service that counts how often it ran.
fn counting() -> (
    impl Service<Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone,
    Arc<AtomicUsize>,
) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = service_fn(move |_: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(ok()) }
    });
    (service, calls)
}

#[tokio::test]
async fn al_5_seed_u11_without_room_nothing_runs_and_the_answer_is_503() {
    let records = Records::with_capacity(1);
    let (events, kinds) = kinds();
    let (inner, calls) = counting();
    let service = AuditLayer::new(records.clone()).events(events).layer(inner);
    assert_eq!(
        service.clone().oneshot(empty()).await.unwrap().status(),
        200
    );
    for _ in 0..3 {
        let refused = service.clone().oneshot(empty()).await.unwrap();
        assert_eq!(refused.status(), 503);
        let denial = refused.extensions().get::<Denial>().unwrap();
        assert_eq!(denial.kind(), DenialKind::Unavailable);
        assert!(refused.headers().contains_key("x-request-id"));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(*kinds.lock().unwrap(), ["no_room"]);
}

#[tokio::test]
async fn seed_u11_room_is_reserved_before_the_effect() {
    let records = Records::with_capacity(1);
    let service = AuditLayer::new(records.clone()).layer(Actor(Act::AnswerLater));
    let mut first = by_hand(service.clone().oneshot(empty()));
    assert!(first.poll().is_none(), "the first one runs");
    // The one room is the first request's, though its record is not there yet.
    let second = service.clone().oneshot(empty()).await.unwrap();
    assert_eq!(second.status(), 503);
    while first.poll().is_none() {}
    assert_eq!(only(&records)["outcome"], "admitted");
}

#[tokio::test]
async fn what_was_missed_is_said_when_there_is_room_again() {
    for (danger, field, events_seen) in [
        (false, "missing_refused", ["no_room", "room_again"]),
        (true, "missing_passed", ["no_room", "room_again"]),
    ] {
        let records = Records::with_capacity(2);
        let (events, kinds) = kinds();
        let mut layer = AuditLayer::new(records.clone())
            .events(events)
            .clock(FakeClock::at(NOW));
        if danger {
            layer = layer.danger_continue_without_record();
        }
        let (inner, calls) = counting();
        let service = layer.layer(inner);
        for _ in 0..5 {
            let _ = service.clone().oneshot(empty()).await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), if danger { 5 } else { 2 });
        assert_eq!(records.take().len(), 2);

        let _ = service.oneshot(empty()).await.unwrap();
        let all = records.all();
        let gap = &all[0];
        assert_eq!(all.len(), 2);
        assert_eq!(gap["event_type"], "audit_gap");
        assert_eq!(gap["result"], "error");
        assert_eq!(gap["outcome"], Value::Null);
        assert_eq!(gap["metadata"][field], 3);
        assert_eq!(*kinds.lock().unwrap(), events_seen);
    }
}

#[tokio::test]
async fn one_of_two_sinks_without_room_is_no_room_and_the_other_gets_its_own_back() {
    let (wide, narrow) = (Records::with_capacity(2), Records::with_capacity(1));
    let layer = AuditLayer::new(wide.clone()).also(narrow.clone());
    let (inner, _) = counting();
    let service = layer.layer(inner);
    assert_eq!(
        service.clone().oneshot(empty()).await.unwrap().status(),
        200
    );
    for _ in 0..3 {
        let refused = service.clone().oneshot(empty()).await.unwrap();
        assert_eq!(refused.status(), 503);
    }
    assert_eq!(wide.lines(), narrow.lines());
    narrow.take();
    wide.take();
    assert_eq!(service.oneshot(empty()).await.unwrap().status(), 200);
    assert_eq!(
        wide.lines().len(),
        1,
        "the gap's record had no room in both"
    );
}

/// A sink that panics when it is told to.
#[derive(Default)]
struct Brittle {
    breaks: AtomicBool,
    records: Records,
}

impl AuditSink for Brittle {
    fn reserve(&self) -> bool {
        self.records.reserve()
    }

    fn release(&self) {
        self.records.release();
    }

    fn write(&self, record: &Record<'_>) {
        assert!(!self.breaks.load(Ordering::SeqCst), "as told");
        self.records.write(record);
    }
}

#[tokio::test]
async fn seed_u7_a_sink_that_panics_harms_no_request_and_is_told_of() {
    let sink = Arc::new(Brittle::default());
    let (events, kinds) = kinds();
    let layer = AuditLayer::new(Arc::clone(&sink)).events(events);
    sink.breaks.store(true, Ordering::SeqCst);
    let (inner, _) = counting();
    assert_eq!(
        layer
            .layer(inner.clone())
            .oneshot(empty())
            .await
            .unwrap()
            .status(),
        200
    );
    // Also while another panic unwinds, where a second one would abort the process.
    let task = tokio::spawn(layer.layer(Actor(Act::PanicInPoll)).oneshot(empty()));
    assert!(task.await.unwrap_err().is_panic());
    sink.breaks.store(false, Ordering::SeqCst);
    assert_eq!(
        layer.layer(inner).oneshot(empty()).await.unwrap().status(),
        200
    );
    let all = sink.records.all();
    assert_eq!(all[0]["metadata"]["missing_passed"], 2);
    assert_eq!(all[1]["outcome"], "admitted");
    assert!(kinds.lock().unwrap().contains(&"sink_failed"));
}

/// A future to poll by hand.
struct Polled<F>(std::pin::Pin<Box<F>>);

fn by_hand<F: Future>(future: F) -> Polled<F> {
    Polled(Box::pin(future))
}

impl<F: Future> Polled<F> {
    fn poll(&mut self) -> Option<F::Output> {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match self.0.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}

/// Panics at the first record of a gap.
struct FailsAtGap(Records, AtomicBool);

impl AuditSink for FailsAtGap {
    fn reserve(&self) -> bool {
        self.0.reserve()
    }

    fn release(&self) {
        self.0.release();
    }

    fn write(&self, record: &Record<'_>) {
        if record.event_type == "audit_gap" && !self.1.swap(true, Ordering::SeqCst) {
            self.0.release();
            panic!("as told");
        }
        self.0.write(record);
    }
}

#[tokio::test]
async fn a_gap_whose_record_failed_is_told_by_the_request_that_found_it() {
    let records = Records::with_capacity(2);
    let layer = AuditLayer::new(FailsAtGap(records.clone(), AtomicBool::new(false)));
    let ask = || async {
        let service = layer.layer(Actor(Act::Answer(200)));
        service.oneshot(empty()).await.unwrap().status().as_u16()
    };
    assert_eq!((ask().await, ask().await), (200, 200));
    for _ in 0..5 {
        assert_eq!(ask().await, 503);
    }
    records.take();
    assert_eq!(ask().await, 200);
    let record = only(&records);
    assert_eq!(record["outcome"], "admitted");
    assert_eq!(record["metadata"]["missing_refused"], 5);
}

#[tokio::test]
async fn with_room_for_one_record_a_gap_is_told_by_the_next_one() {
    let records = Records::with_capacity(1);
    let (inner, _) = counting();
    let service = AuditLayer::new(records.clone()).layer(inner);
    for status in [200, 503, 503] {
        let answer = service.clone().oneshot(empty()).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    records.take();
    assert_eq!(
        service.clone().oneshot(empty()).await.unwrap().status(),
        200
    );
    let record = only(&records);
    assert_eq!(record["outcome"], "admitted");
    assert_eq!(record["metadata"]["missing_refused"], 2);
    records.take();
    let _ = service.oneshot(empty()).await.unwrap();
    assert_eq!(only(&records)["metadata"]["missing_refused"], Value::Null);
}

/// Strangers that are turned away at once, and somebody who is known.
async fn flooded(layer: &AuditLayer, strangers: usize) -> u16 {
    for _ in 0..strangers {
        let refused = layer.layer(Actor(Act::Refuse)).oneshot(empty()).await;
        assert_eq!(refused.unwrap().status(), 403);
    }
    let service = layer.layer(Actor(Act::Answer(200)));
    let answer = service.oneshot(as_ann(empty())).await.unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn al_5_strangers_cannot_use_up_the_room_of_others() {
    let gate = Gated::default();
    let lines = JsonLines::to(gate.clone()).capacity(8).unwrap();
    let (events, kinds) = kinds();
    let layer = AuditLayer::new(lines.clone()).events(events);
    assert_eq!(flooded(&layer, 1000).await, 200);
    gate.open();
    lines.flush(PATIENCE).unwrap();
    // Six stand by themselves; the seventh found less than a quarter left.
    let all = gate.to.all();
    let refused = all.iter().filter(|record| record["outcome"] == "refused");
    assert_eq!(refused.count(), 6);
    assert_eq!(all.last().unwrap()["user_id"], "ann");
    assert_eq!(all.last().unwrap()["metadata"]["missing_folded"], 994);
    assert_eq!(*kinds.lock().unwrap(), ["room_scarce"]);
}

#[cfg(feature = "tracing-subscriber")]
#[test]
fn al_5_strangers_cannot_use_up_the_room_of_others_under_a_subscriber() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let gate = Gated::default();
    let lines = JsonLines::to(gate.clone()).capacity(8).unwrap();
    let subscriber = tracing_subscriber::registry().with(lines.clone().into_layer());
    let (events, kinds) = kinds();
    let layer = AuditLayer::new(bartizan_audit::TracingSink::new()).events(events);
    let status = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(flooded(&layer, 1000))
    });
    assert_eq!(status, 200);
    gate.open();
    lines.flush(PATIENCE).unwrap();
    // Events reserve nothing: the eighth found less than a quarter left.
    let all = gate.to.all();
    let refused = all.iter().filter(|record| record["outcome"] == "refused");
    assert_eq!(refused.count(), 7);
    assert_eq!(all.last().unwrap()["user_id"], "ann");
    assert_eq!(all.last().unwrap()["metadata"]["missing_folded"], 993);
    assert_eq!(*kinds.lock().unwrap(), ["room_scarce"]);
}

#[tokio::test]
async fn al_5_strangers_that_hang_up_or_make_it_fail_cannot_use_up_the_room_of_others() {
    for act in [Act::Never, Act::Fail, Act::Answer(500)] {
        let records = Records::with_capacity(8);
        let layer = AuditLayer::new(records.clone());
        for _ in 0..1000 {
            let mut waits = by_hand(layer.layer(Actor(act)).oneshot(empty()));
            let _ = waits.poll();
        }
        assert_eq!(flooded(&layer, 0).await, 200, "after {act:?}");
        assert_eq!(records.lines().len(), 7);
        let all = records.all();
        assert_eq!(all[6]["user_id"], "ann");
        assert_eq!(all[6]["metadata"]["missing_folded"], 994);
    }
}

#[tokio::test]
async fn whoever_is_known_has_a_record_also_of_what_was_broken_off() {
    let records = Records::with_capacity(8);
    let layer = AuditLayer::new(records.clone());
    for _ in 0..8 {
        let mut waits = by_hand(layer.layer(Actor(Act::Never)).oneshot(as_ann(empty())));
        assert!(waits.poll().is_none());
    }
    assert_eq!(records.lines().len(), 8);
}

#[tokio::test]
async fn what_was_folded_is_told_by_kind_when_there_is_room_again() {
    let records = Records::with_capacity(8);
    let layer = AuditLayer::new(records.clone());
    for _ in 0..10 {
        let _ = layer.layer(Actor(Act::Refuse)).oneshot(empty()).await;
        let get = Request::get("/nope").body(Body::default()).unwrap();
        let _ = layer.layer(Actor(Act::Answer(404))).oneshot(get).await;
    }
    assert_eq!(records.take().len(), 6);
    let _ = layer.layer(Actor(Act::Refuse)).oneshot(empty()).await;
    let all = records.all();
    let gap = &all[0];
    assert_eq!(gap["event_type"], "audit_gap");
    assert_eq!(gap["metadata"]["missing_folded"], 14);
    assert_eq!(gap["metadata"]["missing_refused"], 0);
    let told: Vec<_> = gap["findings"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["kind"], &told[0]["reason"]),
        (&"forbidden".into(), &"7 of strangers".into())
    );
    assert_eq!(
        (&told[1]["kind"], &told[1]["reason"]),
        (&"not_refused".into(), &"7 of strangers".into())
    );
    assert_eq!(all[1]["outcome"], "refused");
}

#[tokio::test]
async fn what_may_have_had_an_effect_is_recorded_while_there_is_room_whoever_asked() {
    let records = Records::with_capacity(4);
    let layer = AuditLayer::new(records.clone());
    for act in [
        Act::Answer(200),
        Act::Answer(500),
        Act::Fail,
        Act::Answer(200),
    ] {
        let _ = layer.layer(Actor(act)).oneshot(empty()).await;
    }
    assert_eq!(records.lines().len(), 4);
}

/// A sink that records on the context of the request whose record it takes.
struct Meddles(SecurityContext, Records);

impl AuditSink for Meddles {
    fn reserve(&self) -> bool {
        self.1.reserve()
    }

    fn release(&self) {
        self.1.release();
    }

    fn write(&self, record: &Record<'_>) {
        self.1.write(record);
        if record.event_type != "late_finding" {
            let finding = || Finding::new("sink", Verdict::Noted, "written", "");
            self.0.record(finding);
        }
    }
}

#[tokio::test]
async fn a_sink_may_record_on_the_request_that_it_writes_down() {
    let mut request = empty();
    let context = SecurityContext::of(&mut request);
    let records = Records::new();
    let layer = AuditLayer::new(Meddles(context, records.clone()));
    let _ = layer.layer(Actor(Act::Answer(200))).oneshot(request).await;
    let all = records.all();
    assert_eq!(all.len(), 2);
    assert_eq!(all[1]["findings"][0]["kind"], "written");
}

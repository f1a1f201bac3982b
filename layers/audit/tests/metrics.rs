//! What the layer measures, in a binary of its own: recorders are found by thread.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is tests")]

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use bartizan_audit::{AuditLayer, Records};
use bartizan_core::FakeClock;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower::{Layer, ServiceExt, service_fn};

#[test]
fn requests_are_measured_by_outcome_and_refusals_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let clock = FakeClock::at(Duration::from_secs(1_795_446_000));
        let records = Records::with_capacity(3);
        let layer = AuditLayer::new(records).clock(clock.clone());
        let service = layer.layer(service_fn(|request: Request<Full<Bytes>>| {
            clock.advance(Duration::from_millis(250));
            let mut answer = Response::new(Full::new(Bytes::new()));
            *answer.status_mut() = request.uri().path()[1..].parse().unwrap();
            async { Ok::<_, Infallible>(answer) }
        }));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for path in ["/200", "/500", "/200", "/200"] {
            let request = Request::post(path).body(Full::default()).unwrap();
            runtime.block_on(service.clone().oneshot(request)).unwrap();
        }
    });
    let mut durations = BTreeMap::new();
    let mut verdicts = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|l| l.value().to_owned()).collect();
        match (key.key().name(), value) {
            ("bartizan_request_duration_seconds", DebugValue::Histogram(seconds)) => {
                let seconds: Vec<f64> = seconds.into_iter().map(Into::into).collect();
                durations.insert(labels.join(" "), seconds);
            }
            ("bartizan_verdicts_total", DebugValue::Counter(count)) => {
                verdicts.insert(labels.join(" "), count);
            }
            (other, _) => panic!("`{other}` is not ours"),
        }
    }
    durations.retain(|_, seconds| !seconds.is_empty());
    let expected = [("admitted", vec![0.25, 0.25]), ("failed", vec![0.25])];
    let expected = expected.map(|(outcome, seconds)| (outcome.to_owned(), seconds));
    assert_eq!(durations, BTreeMap::from(expected));
    assert_eq!(verdicts, BTreeMap::from([("audit refused".to_owned(), 1)]));
}

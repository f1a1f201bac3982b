//! Verdicts are counted by layer.

use std::collections::BTreeMap;

use bartizan_kit::{Revision, call_tool};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::json;
use tower::ServiceExt;

use crate::server::guarded;

#[test]
fn each_layers_verdicts_are_counted_and_the_requests_are_measured() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    // One thread, whose recorder it is.
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let (app, token) = guarded();
            let call = || call_tool(Revision::V2026_07_28, "whoami", json!({})).host("localhost");
            for request in [call().bearer(&token), call().bearer(&token), call()] {
                app.clone().oneshot(request.build_axum()).await.unwrap();
            }
        });
    });
    let (mut verdicts, mut measured) = (BTreeMap::new(), 0);
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let key = key.key();
        let labels: Vec<_> = key.labels().map(|label| label.value()).collect();
        match value {
            DebugValue::Counter(count) if key.name() == "bartizan_verdicts_total" => {
                verdicts.insert(labels.join(" "), count);
            }
            DebugValue::Histogram(values) if key.name() == "bartizan_request_duration_seconds" => {
                measured += values.len();
            }
            _ => {}
        }
    }
    let expected = [
        ("auth allowed", 2),
        ("auth refused", 1),
        ("session allowed", 2),
        ("call allowed", 2),
        ("cors allowed", 3),
        ("network allowed", 3),
        ("ratelimit allowed", 2),
        ("address_limit allowed", 3),
        // Without a socket nobody knows an address.
        ("address_limit noted", 3),
        ("network noted", 3),
        ("rbac allowed", 2),
        ("tasks allowed", 2),
    ];
    let expected = expected.map(|(labels, count)| (labels.to_owned(), count));
    assert_eq!(verdicts, BTreeMap::from(expected));
    assert_eq!(measured, 3);
}

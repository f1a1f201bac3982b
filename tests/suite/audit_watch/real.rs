//! A log that the layer and a watcher wrote, chained.

use std::{convert::Infallible, time::Duration};

use axum::body::Body;
use bartizan::{
    AuditLayer, Secret,
    audit::{
        Adding, Alert, Anomaly, Chain, ChainKeys, Queue, Record, RotatingFile, Severity, Watcher,
    },
};
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::{once, summary};

/// Finds each request unusual, and says so.
struct Nervous;

impl Watcher for Nervous {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        let anomaly = Anomaly::new("nervous", "requests", Severity::Warning);
        let anomaly = anomaly.value("1").baseline("0").about("everybody");
        adding.anomaly(record.timestamp, Some(record), &anomaly);
        let alert = Alert::new("any_request", Severity::Critical)
            .count(2)
            .detail("somebody asks");
        adding.alert(record.timestamp, Some(record), &alert);
    }
}

#[tokio::test]
async fn what_a_watcher_adds_is_shown_with_its_value_and_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let file = RotatingFile::open(folder.path().join("audit.log")).unwrap();
    let (mac, seed) = (Secret::from(vec![7; 32]), Secret::from(vec![9; 32]));
    let chain = Chain::over(file, ChainKeys::new(1, &mac, &seed).unwrap()).unwrap();
    let layer = AuditLayer::new(Queue::to(chain).watched_by(Nervous));
    let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(Body::empty())));
    layer
        .layer(service)
        .oneshot(Request::new(Body::empty()))
        .await
        .unwrap();
    layer.flush(Duration::from_secs(30)).unwrap();
    drop(layer);
    let (out, said, ended) = once(&folder, &[]);
    ended.unwrap();
    assert_eq!(said, "");
    assert!(out.contains("audit_checkpoint"), "{out}");
    assert!(
        out.contains("nervous: requests is 1, usual is 0, of everybody"),
        "{out}"
    );
    assert!(
        out.contains("any_request (2 times): somebody asks"),
        "{out}"
    );
    assert_eq!(summary(&out, "findings"), "anomalies 1   alerts 1");
    assert!(!out.contains("trouble"), "{out}");
    let (out, ..) = once(&folder, &["--class", "alert", "--severity", "critical"]);
    assert!(summary(&out, "records").starts_with("1 from"), "{out}");
}

//! Watchers: who sees what, what they add and where it stands, and what one costs that panics.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_audit::{
    Adding, Alert, Anomaly, AuditLayer, Chain, ChainKeys, Identity, JsonLines, Overflow, Queue,
    Record, RotatingFile, Severity, TracingSink, Watcher, verify,
};
use bartizan_core::{Principal, Secret, identify};
use http::Request;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tracing_subscriber::layer::SubscriberExt;

use super::{
    common::*,
    json_lines::{Gated, PATIENCE, Shared},
    queue::ask,
};

/// What a watcher saw of each record: its number, type and account.
type Seen = Arc<Mutex<Vec<(u64, String, Option<Identity>)>>>;

#[derive(Default, Clone)]
struct Looks {
    seen: Seen,
    /// So many anomalies to each record.
    adds: usize,
    /// At records of this type.
    panics_at: &'static str,
}

impl Watcher for Looks {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        assert_ne!(record.event_type, self.panics_at, "as told");
        let seen = (
            record.sequence.unwrap(),
            record.event_type.to_owned(),
            record.account(),
        );
        self.seen.lock().unwrap().push(seen);
        let found = Anomaly::new("looks", "place", Severity::Warning);
        for place in 0..self.adds {
            let place = place.to_string();
            let about = record.user_id.map(|user| user.to_string());
            let found = found.value(&place).baseline("none");
            let found = found.about(about.as_deref().unwrap_or("nobody"));
            adding.anomaly(record.timestamp, Some(record), &found);
        }
    }
}

/// Raises an alert of every anomaly.
#[derive(Default, Clone)]
struct Raises(Seen);

impl Watcher for Raises {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        let seen = (
            record.sequence.unwrap(),
            record.event_type.to_owned(),
            record.account(),
        );
        self.0.lock().unwrap().push(seen);
        if let Some(found) = record.metadata.found {
            let alert = Alert::new("any", Severity::Error).detail("look").count(3);
            adding.alert(record.timestamp, Some(record), &alert.about(found.detector));
        }
    }
}

fn numbers(seen: &Seen) -> Vec<u64> {
    seen.lock().unwrap().iter().map(|seen| seen.0).collect()
}

fn words(seen: &Seen) -> Vec<String> {
    let seen = seen.lock().unwrap();
    seen.iter().map(|seen| seen.1.clone()).collect()
}

fn types(lines: &[Value]) -> Vec<&str> {
    let types = lines.iter().map(|line| line["event_type"].as_str());
    types.map(Option::unwrap).collect()
}

#[tokio::test]
async fn what_a_watcher_adds_stands_right_behind_its_record_with_the_next_number() {
    let (written, looks) = (
        Shared::default(),
        Looks {
            adds: 2,
            ..Looks::default()
        },
    );
    let layer = AuditLayer::new(JsonLines::to(written.clone()).watched_by(looks.clone()));
    let (_, id) = ask(&layer).await;
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let all = written.all();
    let expected = ["http_request", "anomaly", "anomaly"].repeat(2);
    assert_eq!(types(&all), expected);
    let sequence: Vec<_> = all.iter().map(|line| line["sequence"].as_u64()).collect();
    assert_eq!(sequence, [1, 2, 3, 4, 5, 6].map(Some));
    // It saw each record once, and nothing of its own.
    assert_eq!(numbers(&looks.seen), [1, 4]);
    let found = &all[2]["metadata"]["found"];
    assert_eq!(found["detector"], "looks");
    assert_eq!(found["feature"], "place");
    assert_eq!(found["value"], "1");
    assert_eq!(found["baseline"], "none");
    assert_eq!(found["about"], "nobody");
    assert_eq!(found["event_id"], all[0]["event_id"]);
    assert_eq!(all[2]["correlation_id"], id);
    assert_eq!(all[2]["severity"], "warning");
    assert_eq!(all[2]["classes"], serde_json::json!(["anomaly"]));
    assert_eq!(all[2]["result"], "found");
}

#[tokio::test]
async fn what_is_added_is_shown_to_later_watchers_after_its_record_and_never_back() {
    let written = Shared::default();
    let looks = Looks {
        adds: 1,
        ..Looks::default()
    };
    let (raises, last) = (Raises::default(), Looks::default());
    let queue = Queue::to(JsonLines::outlet(written.clone()))
        .watched_by(looks.clone())
        .watched_by(raises.clone())
        .watched_by(last.clone());
    let layer = AuditLayer::new(queue);
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    assert_eq!(types(&written.all()), ["http_request", "anomaly", "alert"]);
    assert_eq!(words(&looks.seen), ["http_request"]);
    assert_eq!(words(&raises.0), ["http_request", "anomaly"]);
    assert_eq!(words(&last.seen), ["http_request", "anomaly", "alert"]);
    assert_eq!(numbers(&last.seen), [1, 2, 3]);
    let alert = &written.all()[2];
    assert_eq!(alert["metadata"]["found"]["rule"], "any");
    assert_eq!(alert["metadata"]["found"]["count"], 3);
    assert_eq!(alert["metadata"]["detail"], "look");
    assert_eq!(alert["severity"], "error");
    assert_eq!(alert["classes"], serde_json::json!([]));
}

#[tokio::test]
async fn no_watcher_adds_more_than_its_bound_to_a_record() {
    let written = Shared::default();
    let looks = Looks {
        adds: 100,
        ..Looks::default()
    };
    let lines = JsonLines::to(written.clone()).watched_by(looks.clone());
    let layer = AuditLayer::new(lines.watched_by(looks));
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    // The second adds to the request's record, and to each that the first added.
    let most = Adding::MOST;
    assert_eq!(written.all().len(), 1 + most + most + most * most);
}

#[tokio::test]
async fn a_watcher_that_panics_costs_an_event_and_neither_the_line_nor_another_watcher() {
    let (written, (events, kinds)) = (Shared::default(), kinds());
    let broken = Looks {
        panics_at: "http_request",
        adds: 1,
        ..Looks::default()
    };
    let sound = Looks::default();
    let lines = JsonLines::to(written.clone()).events(events);
    let lines = lines.watched_by(broken).watched_by(sound.clone());
    let layer = AuditLayer::new(lines);
    for _ in 0..3 {
        ask(&layer).await;
    }
    layer.flush(PATIENCE).unwrap();
    assert_eq!(written.all().len(), 3);
    assert_eq!(numbers(&sound.seen), [1, 2, 3]);
    assert_eq!(
        *kinds.lock().unwrap(),
        ["watcher_failed"],
        "once, until it works"
    );
}

#[tokio::test]
async fn a_gap_record_is_seen_too() {
    let (gated, looks) = (Gated::default(), Looks::default());
    let lines = JsonLines::to(gated.clone())
        .capacity(2)
        .unwrap()
        .overflow(Overflow::Drop)
        .unwrap()
        .watched_by(Looks {
            adds: 1,
            ..looks.clone()
        });
    let layer = AuditLayer::new(lines);
    for _ in 0..5 {
        ask(&layer).await;
    }
    gated.open();
    layer.flush(PATIENCE).unwrap();
    assert_eq!(
        words(&looks.seen),
        ["http_request", "http_request", "audit_gap"]
    );
    assert_eq!(gated.to.all().len(), 6, "what is added takes no room");
}

#[tokio::test]
async fn what_is_spilled_is_not_seen_and_the_gap_that_tells_of_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spill.jsonl");
    let (gated, looks) = (Gated::default(), Looks::default());
    let lines = JsonLines::to(gated.clone()).capacity(1).unwrap();
    let lines = lines.overflow(Overflow::Spill(path.clone())).unwrap();
    let layer = AuditLayer::new(lines.watched_by(looks.clone()));
    for _ in 0..3 {
        ask(&layer).await;
    }
    gated.open();
    layer.flush(PATIENCE).unwrap();
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 2);
    assert_eq!(words(&looks.seen), ["http_request", "audit_gap"]);
}

#[tokio::test]
async fn a_chain_over_rotating_files_holds_what_is_added_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let (mac, seed) = (Secret::from(vec![7; 32]), Secret::from(vec![9; 32]));
    let keys = ChainKeys::new(1, &mac, &seed).unwrap();
    let verifying = keys.verifying();
    let chain = Chain::over(RotatingFile::open(&path).unwrap(), keys).unwrap();
    let looks = Looks {
        adds: 1,
        ..Looks::default()
    };
    let layer = AuditLayer::new(Queue::to(chain).watched_by(looks));
    for _ in 0..10 {
        ask(&layer).await;
    }
    layer.flush(PATIENCE).unwrap();
    drop(layer);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("\"event_type\":\"anomaly\"").count(), 10);
    let report = verify([text.as_bytes()], &verifying, None).unwrap();
    assert!(report.bad.is_none(), "{report:?}");
}

#[tokio::test]
async fn records_that_come_as_tracing_events_are_seen_too() {
    let (written, looks) = (Shared::default(), Looks::default());
    let lines = JsonLines::to(written.clone());
    let lines = lines.watched_by(Looks {
        adds: 1,
        ..looks.clone()
    });
    let subscriber = tracing_subscriber::registry().with(lines.clone().into_layer());
    let layer = AuditLayer::new(TracingSink::new());
    let _guard = tracing::subscriber::set_default(subscriber);
    ask(&layer).await;
    lines.flush(PATIENCE).unwrap();
    assert_eq!(types(&written.all()), ["http_request", "anomaly"]);
    assert_eq!(numbers(&looks.seen), [1]);
}

#[tokio::test]
async fn two_users_whose_names_are_masked_alike_are_told_apart_and_the_log_does_not_say_how() {
    let (written, looks) = (
        Shared::default(),
        Looks {
            adds: 1,
            ..Looks::default()
        },
    );
    let layer = AuditLayer::new(JsonLines::to(written.clone()).watched_by(looks.clone()));
    for subject in [
        "usera.r@example.com",
        "userb.r@example.com",
        "usera.r@example.com",
    ] {
        let mut request: Request<Body> = empty();
        let principal = Principal::user("https://auth.example.com", subject).build("jwt");
        identify(&mut request, principal).unwrap();
        let inner =
            service_fn(|_: Request<Body>| async { Ok::<_, std::convert::Infallible>(ok()) });
        layer.layer(inner).oneshot(request).await.unwrap();
    }
    layer.flush(PATIENCE).unwrap();
    let all = written.all();
    assert_eq!(all[0]["user_id"], all[2]["user_id"], "masked alike");
    assert_ne!(all[0]["user_id"], "usera.r@example.com");
    let seen = looks.seen.lock().unwrap();
    assert!(seen[0].2.is_some());
    assert_ne!(seen[0].2, seen[1].2);
    assert_eq!(seen[0].2, seen[2].2);
    let identity = seen[0].2.unwrap();
    assert!(!written.text().contains(&identity.as_u64().to_string()));
    assert_eq!(format!("{identity:?}"), "Identity { .. }");
    assert_eq!(all[1]["metadata"]["found"]["about"], all[0]["user_id"]);
}

/// Adds one when it is woken, and one at the end.
struct Wakes(Option<Instant>, Duration);

impl Watcher for Wakes {
    fn see(&mut self, record: &Record<'_>, _: &mut Adding<'_>) {
        self.1 = record.timestamp;
        self.0 = Some(Instant::now() + Duration::from_millis(10));
    }

    fn due(&self) -> Option<Instant> {
        self.0
    }

    fn wake(&mut self, adding: &mut Adding<'_>) {
        self.0 = None;
        adding.anomaly(
            self.1,
            None,
            &Anomaly::new("wakes", "time", Severity::Notice),
        );
    }

    fn end(&mut self, adding: &mut Adding<'_>) {
        adding.anomaly(
            self.1,
            None,
            &Anomaly::new("wakes", "end", Severity::Notice),
        );
    }
}

#[tokio::test]
async fn a_watcher_is_woken_though_no_record_comes_and_told_of_the_end() {
    let written = Shared::default();
    let wakes = Wakes(None, Duration::ZERO);
    let layer = AuditLayer::new(JsonLines::to(written.clone()).watched_by(wakes));
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let until = Instant::now() + PATIENCE;
    while written.all().len() < 2 {
        assert!(Instant::now() < until, "it was not woken");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(layer);
    let all = written.all();
    let features: Vec<_> = all[1..]
        .iter()
        .map(|line| &line["metadata"]["found"]["feature"])
        .collect();
    assert_eq!(features, ["time", "end"]);
}

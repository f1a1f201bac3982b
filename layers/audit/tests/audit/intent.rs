//! No durable record of what is intended, no call.

use std::{
    convert::Infallible,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_audit::{
    AuditLayer, AuditSink, Confirm, Durable, IntentLayer, JsonLines, Record, Records,
};
use bartizan_core::{CallLayer, Denial, RequestBody};
use bartizan_kit::layer_contract;
use http::Request;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{common::*, json_lines::PATIENCE};

/// What a sink says of a record that is to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Durable,
    Not,
    Nothing,
    Panics,
}

/// A sink that keeps records and says of each the same.
#[derive(Clone)]
struct Mock {
    says: Says,
    records: Records,
    held: Arc<Mutex<Vec<Confirm>>>,
}

impl Mock {
    fn that(says: Says) -> Self {
        Self {
            says,
            records: Records::new(),
            held: Arc::default(),
        }
    }
}

impl AuditSink for Mock {
    fn reserve(&self) -> bool {
        self.records.reserve()
    }

    fn release(&self) {
        self.records.release();
    }

    fn write(&self, record: &Record<'_>) {
        self.records.write(record);
    }

    fn write_durably(&self, record: &Record<'_>) -> Durable {
        self.records.write(record);
        let (confirm, durable) = Durable::awaited();
        match self.says {
            Says::Durable => confirm.confirm(),
            Says::Not => drop(confirm),
            Says::Nothing => self.held.lock().unwrap().push(confirm),
            Says::Panics => panic!("as told"),
        }
        durable
    }
}

/// The whole of it around a service that counts its calls.
async fn ask(
    intent: IntentLayer,
    audit: &AuditLayer,
    request: Request<Body>,
) -> (u16, usize, Option<&'static str>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<RequestBody<Body>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(ok()) }
    });
    let service = audit.layer(CallLayer::new().layer(intent.layer(inner)));
    let answer = service.oneshot(request).await.unwrap();
    let denial = answer.extensions().get::<Denial>();
    let denial = denial.map(|denial| denial.kind().name());
    (
        answer.status().as_u16(),
        calls.load(Ordering::SeqCst),
        denial,
    )
}

fn strict(sink: impl AuditSink) -> IntentLayer {
    let layer = IntentLayer::new(sink, ["delete_*"]).unwrap();
    layer.patience(Duration::from_millis(50)).unwrap()
}

#[tokio::test]
async fn a_strict_call_is_made_only_once_its_intent_is_durable() {
    for (says, status, calls) in [
        (Says::Durable, 200, 1),
        (Says::Not, 503, 0),
        (Says::Nothing, 503, 0),
        (Says::Panics, 503, 0),
    ] {
        let (mock, records) = (Mock::that(says), Records::new());
        let audit = AuditLayer::new(records.clone());
        let request = as_ann(call_tool("delete_note"));
        let (answered, called, denial) = ask(strict(mock.clone()), &audit, request).await;
        assert_eq!((answered, called), (status, calls), "{says:?}");
        assert_eq!(denial, (status == 503).then_some("unavailable"), "{says:?}");
        let (intent, outcome) = (only(&mock.records), only(&records));
        assert_eq!(intent["event_type"], "intent");
        assert_eq!(intent["result"], "intended");
        assert_eq!(intent["outcome"], Value::Null);
        assert_eq!(intent["tool_name"], "delete_note");
        assert_eq!(intent["user_id"], "ann");
        assert_eq!(intent["correlation_id"], outcome["correlation_id"]);
        assert_eq!(outcome["metadata"]["intent_id"], intent["event_id"]);
        let destructive = json!("destructive_operation");
        for record in [&intent, &outcome] {
            let classes = record["classes"].as_array().unwrap();
            assert!(classes.contains(&destructive), "{record}");
        }
    }
}

#[tokio::test]
async fn al_2_an_intent_is_redacted_as_all_records_are() {
    let mock = Mock::that(Says::Durable);
    let audit = AuditLayer::new(Records::new());
    let request = call_tool("delete_of_jane.roe@example.com");
    ask(strict(mock.clone()), &audit, request).await;
    let intent = only(&mock.records);
    assert!(!intent.to_string().contains("jane.roe"), "{intent}");
    assert_eq!(intent["metadata"]["masked"][0]["path"], "tool_name");
}

#[tokio::test]
async fn what_is_not_of_the_strict_class_waits_for_nothing() {
    let (mock, records) = (Mock::that(Says::Nothing), Records::new());
    let audit = AuditLayer::new(records.clone());
    let (status, calls, _) = ask(strict(mock.clone()), &audit, call_tool("read_note")).await;
    assert_eq!((status, calls), (200, 1));
    assert!(mock.records.lines().is_empty());
    assert_eq!(only(&records)["metadata"]["intent_id"], Value::Null);
}

#[tokio::test]
async fn without_room_for_the_intent_nothing_is_called() {
    let full = Records::with_capacity(0);
    let audit = AuditLayer::new(Records::new());
    let (status, calls, _) = ask(strict(full), &audit, call_tool("delete_note")).await;
    assert_eq!((status, calls), (503, 0));
}

#[tokio::test]
async fn a_sink_that_makes_nothing_durable_lets_nothing_be_called() {
    let audit = AuditLayer::new(Records::new());
    let lines = JsonLines::to(std::io::sink());
    let (status, calls, _) = ask(strict(lines), &audit, call_tool("delete_note")).await;
    assert_eq!((status, calls), (503, 0));
}

#[tokio::test]
async fn with_a_file_the_intent_stands_there_before_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let lines = JsonLines::append(&path).unwrap();
    let seen = path.clone();
    let inner = service_fn(move |_: Request<RequestBody<Body>>| {
        let text = fs::read_to_string(&seen).unwrap();
        assert!(text.ends_with('\n') && text.contains("\"event_type\":\"intent\""));
        async { Ok::<_, Infallible>(ok()) }
    });
    let intent = IntentLayer::new(lines.clone(), ["*"]).unwrap();
    let service = CallLayer::new().layer(intent.layer(inner));
    let service = AuditLayer::new(lines.clone()).layer(service);
    let answer = service.oneshot(call_tool("delete_note")).await.unwrap();
    assert_eq!(answer.status(), 200);
    lines.flush(PATIENCE).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let sequences = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_valid(&record);
        record["sequence"].clone()
    });
    assert_eq!(sequences.collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_call_that_nobody_read_is_not_made() {
    let mut service = strict(Mock::that(Says::Durable)).layer(Actor(Act::Answer(200)));
    let answer = service.call(call_tool("read_note")).await.unwrap();
    assert_eq!(answer.status(), 503);
    let get = Request::get("/mcp").body(Body::default()).unwrap();
    assert_eq!(service.call(get).await.unwrap().status(), 200);
}

#[test]
fn a_setting_that_means_nothing_names_itself() {
    let none: [&str; 0] = [];
    assert!(IntentLayer::new(Records::new(), none).is_err());
    let error = IntentLayer::new(Records::new(), ["a?"]).unwrap_err();
    assert!(error.to_string().contains("`a?`"), "{error}");
    for patience in [Duration::ZERO, Duration::from_secs(61)] {
        let layer = IntentLayer::new(Records::new(), ["*"]).unwrap();
        assert!(layer.patience(patience).is_err());
    }
}

layer_contract!(
    intent,
    || (CallLayer::new(), strict(Mock::that(Says::Durable))),
    || bartizan_kit::call_tool(
        bartizan_kit::Revision::V2026_07_28,
        "delete_note",
        json!({})
    )
    .build()
);

//! Records as events, under the subscribers that people have.

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex},
};

use bartizan_audit::{AuditLayer, AuditSink, Record, TracingSink};
use bartizan_core::{CallLayer, RequestBody};
use http::{HeaderValue, Request};
use tower::{Layer, ServiceExt, service_fn};
use tracing::{Event, Subscriber, field, subscriber::with_default};
use tracing_subscriber::{
    Registry,
    layer::{Context, SubscriberExt},
};

use super::{common::*, json_lines::Shared};

/// A sink that emits events to a subscriber of its own, which keeps what it is given.
pub(crate) struct Fields(Arc<Mutex<Vec<String>>>);

impl Fields {
    pub(crate) fn into(seen: Arc<Mutex<Vec<String>>>) -> impl AuditSink {
        Self(seen)
    }
}

impl AuditSink for Fields {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        let subscriber = Registry::default().with(Keeps(Arc::clone(&self.0)));
        with_default(subscriber, || TracingSink::new().write(record));
    }
}

struct Keeps(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> tracing_subscriber::Layer<S> for Keeps {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut shown = Shown(format!("{} ", event.metadata().level()));
        event.record(&mut shown);
        self.0.lock().unwrap().push(shown.0);
    }
}

struct Shown(String);

impl field::Visit for Shown {
    fn record_debug(&mut self, field: &field::Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

/// Writes to shared memory, as `fmt` wants it.
fn writer(shared: &Shared) -> impl for<'a> tracing_subscriber::fmt::MakeWriter<'a> + use<> {
    let shared = shared.clone();
    move || shared.clone()
}

fn ask(layer: &AuditLayer, act: Act) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut request = as_ann(empty());
    let agent = HeaderValue::from_static("\tagent/1.0 \"x\"");
    request.headers_mut().insert("user-agent", agent);
    let answer = runtime.block_on(layer.layer(Actor(act)).oneshot(request));
    answer.unwrap().status().as_u16()
}

#[test]
fn seed_u2_records_come_out_whole_under_the_default_subscriber() {
    let written = Shared::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer(&written))
        .with_ansi(false)
        .finish();
    let layer = AuditLayer::new(TracingSink::new());
    with_default(subscriber, || {
        assert_eq!(ask(&layer, Act::Answer(200)), 200);
        assert_eq!(ask(&layer, Act::Refuse), 403);
    });
    let text = written.text();
    let events: Vec<_> = text
        .lines()
        .filter(|line| line.contains("bartizan::audit:"))
        .collect();
    assert_eq!(events.len(), 2, "{text}");
    for field in [
        "schema=2",
        "timestamp=2",
        "event_type=\"http_request\"",
        "user_id=\"ann\"",
        r#"user_role="[\"developer\",\"viewer\"]""#,
        "result=\"success\"",
        r#"user_agent="\\u{9}agent/1.0 \"x\"""#,
        "correlation_id=",
        "outcome=\"admitted\"",
        "status=200",
        "latency_us=",
        r#"findings="[]""#,
        r#"\"issuer\":\"https://auth.example.com\""#,
        r#"\"http_path\":\"/mcp\""#,
    ] {
        assert!(
            events[0].contains(field),
            "`{field}` is not in {}",
            events[0]
        );
    }
    assert!(events[1].contains("INFO") && events[1].contains(r#"\"denial\":\"forbidden\""#));
}

#[test]
fn seed_u1_where_no_subscriber_takes_records_nothing_is_served() {
    let layer = AuditLayer::new(TracingSink::new());
    assert_eq!(ask(&layer, Act::Answer(200)), 503);
    let quiet = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::sink)
        .finish();
    with_default(quiet, || assert_eq!(ask(&layer, Act::Answer(200)), 503));
    let loud = tracing_subscriber::fmt()
        .with_writer(std::io::sink)
        .finish();
    with_default(loud, || assert_eq!(ask(&layer, Act::Answer(200)), 200));
}

#[test]
fn seed_u15_an_event_is_one_line_of_visible_ascii() {
    let written = Shared::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer(&written))
        .with_ansi(false)
        .finish();
    let layer = AuditLayer::new(TracingSink::new());
    with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut request = empty();
        let evil = "root\n2026 INFO bartizan::audit: forged\u{1b}[2J\u{202e}";
        let principal = bartizan_core::Principal::user(evil, evil)
            .roles([evil])
            .build("jwt");
        bartizan_core::identify(&mut request, principal).unwrap();
        let service = layer.layer(Actor(Act::Answer(200)));
        runtime.block_on(service.oneshot(request)).unwrap();
    });
    let text = written.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.trim_end().bytes().all(|b| (b' '..=b'~').contains(&b)),
        "{text}"
    );
}

#[test]
fn al_5_a_strangers_text_does_not_look_like_further_fields() {
    let written = Shared::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(writer(&written))
        .with_ansi(false)
        .finish();
    let layer = AuditLayer::new(TracingSink::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut request = call_tool("x user_id=root");
    let agent = HeaderValue::from_static(r#"curl user_id=root outcome="admitted""#);
    request.headers_mut().insert("user-agent", agent);
    let inner = service_fn(|_: Request<RequestBody<Body>>| async { Ok::<_, Infallible>(ok()) });
    let service = layer.layer(CallLayer::new().layer(inner));
    with_default(subscriber, || {
        runtime.block_on(service.oneshot(request)).unwrap()
    });
    let text = written.text();
    let event = text.lines().find(|line| line.contains("bartizan::audit:"));
    let mut outside = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for c in event.unwrap().chars() {
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        outside.extend((!quoted).then_some(c));
    }
    assert!(
        !outside.contains("root") && !outside.contains("admitted"),
        "{text}"
    );
    assert_eq!(outside.matches("outcome=").count(), 1, "{text}");
}

#[cfg(feature = "tracing-subscriber")]
mod as_lines {
    use bartizan_audit::{JsonLines, Records};
    use tracing_subscriber::{Layer as _, filter::LevelFilter};

    use super::*;
    use crate::audit::json_lines::{Gated, PATIENCE};

    #[test]
    fn seed_u1_the_lines_are_those_of_any_other_sink_whatever_other_layers_filter() {
        let (written, log, records) = (Shared::default(), Shared::default(), Records::new());
        let lines = JsonLines::to(written.clone());
        let quiet = tracing_subscriber::fmt::layer()
            .with_writer(writer(&log))
            .with_filter(LevelFilter::ERROR);
        let subscriber = Registry::default()
            .with(quiet)
            .with(lines.clone().into_layer());
        let layer = AuditLayer::new(TracingSink::new()).also(records.clone());
        with_default(subscriber, || {
            for _ in 0..3 {
                assert_eq!(ask(&layer, Act::Answer(200)), 200);
                assert_eq!(ask(&layer, Act::Refuse), 403);
                tracing::info!(target: "bartizan::audit", schema = 1, "forged");
                tracing::info!("somebody else's");
                tracing::error!("an error");
            }
        });
        lines.flush(PATIENCE).unwrap();
        assert_eq!(written.text().lines().count(), 6);
        assert!(written.text().lines().eq(records.lines()));
        // Nor does asking whether a record is wanted disturb the other layer.
        assert_eq!(log.text().lines().count(), 3, "{}", log.text());
    }

    #[test]
    fn without_room_nothing_is_served_though_another_layer_has_it() {
        let gate = Gated::default();
        let lines = JsonLines::to(gate.clone()).capacity(1).unwrap();
        let layer = AuditLayer::new(TracingSink::new());
        let both = Registry::default()
            .with(lines.clone().into_layer())
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::sink));
        with_default(both, || {
            assert_eq!(ask(&layer, Act::Answer(200)), 200);
            assert_eq!(ask(&layer, Act::Answer(200)), 503);
            gate.open();
            lines.flush(PATIENCE).unwrap();
            assert_eq!(ask(&layer, Act::Answer(200)), 200);
        });
        lines.flush(PATIENCE).unwrap();
        assert!(gate.to.text().contains(r#""missing_refused":1"#));
    }

    /// Writes though it was told that there is no room, as a request does that was overtaken.
    struct Overtaken;

    impl AuditSink for Overtaken {
        fn reserve(&self) -> bool {
            true
        }

        fn release(&self) {}

        fn write(&self, record: &Record<'_>) {
            TracingSink::new().write(record);
        }
    }

    #[test]
    fn records_that_find_no_room_after_all_are_counted() {
        let gate = Gated::default();
        let lines = JsonLines::to(gate.clone()).capacity(1).unwrap();
        let layer = AuditLayer::new(Overtaken);
        with_default(Registry::default().with(lines.clone().into_layer()), || {
            for _ in 0..3 {
                assert_eq!(ask(&layer, Act::Answer(200)), 200);
            }
        });
        gate.open();
        drop(lines);
        let all = gate.to.all();
        assert_eq!(all[0]["outcome"], "admitted");
        assert_eq!(all[1]["event_type"], "audit_gap");
        assert_eq!(all[1]["metadata"]["missing_passed"], 2);
    }

    /// Keeps every event from every layer.
    struct Veto;

    impl<S: Subscriber> tracing_subscriber::Layer<S> for Veto {
        fn event_enabled(&self, _: &Event<'_>, _: Context<'_, S>) -> bool {
            false
        }
    }

    #[test]
    fn records_that_another_layer_keeps_away_are_counted() {
        let written = Shared::default();
        let lines = JsonLines::to(written.clone());
        let layer = AuditLayer::new(TracingSink::new());
        let subscriber = Registry::default()
            .with(lines.clone().into_layer())
            .with(Veto);
        with_default(subscriber, || {
            assert_eq!(ask(&layer, Act::Answer(200)), 200);
            assert_eq!(ask(&layer, Act::Answer(200)), 200);
        });
        drop(lines);
        let all = written.all();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(all[0]["metadata"]["missing_passed"], 2);
    }

    #[test]
    fn of_requests_at_once_those_without_room_are_counted() {
        let gate = Gated::default();
        let lines = JsonLines::to(gate.clone()).capacity(1).unwrap();
        let layer = AuditLayer::new(TracingSink::new());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let one = || layer.layer(Actor(Act::AnswerLater)).oneshot(empty());
        with_default(Registry::default().with(lines.clone().into_layer()), || {
            let (a, b, c) = runtime.block_on(async { tokio::join!(one(), one(), one()) });
            for answer in [a, b, c] {
                assert_eq!(answer.unwrap().status(), 200);
            }
        });
        gate.open();
        drop(lines);
        let all = gate.to.all();
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all[1]["metadata"]["missing_passed"], 2);
    }
}

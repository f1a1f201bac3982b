use std::sync::{Arc, Mutex};

use bartizan_alerts::{Alerts, By, JSON_SCHEMA, Outbox, Rules, TracingReceiver};
use bartizan_audit::{AuditLayer, JSON_SCHEMA as RECORD_SCHEMA, JsonLines};
use bartizan_core::DenialKind;
use serde_json::Value;

use super::common::{Asked, Kept, SOON, Scene, by_ann, rule, serve};

fn schema(text: &str) -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(text).unwrap()).unwrap()
}

fn denials() -> Rules {
    let rule = rule("denials").denial(DenialKind::Forbidden);
    Rules::new().rule(rule.by(By::User).by(By::Tool)).unwrap()
}

#[test]
fn what_receivers_get_is_what_the_published_schema_says() {
    let schema = schema(JSON_SCHEMA);
    let scene = Scene::by(denials(), |builder| builder);
    let nobody = Asked::default().refused(DenialKind::Forbidden);
    let mut alerts = scene.ask(&by_ann().refused(DenialKind::Forbidden));
    alerts.extend(scene.ask(&nobody));
    alerts.extend(scene.ask_often(20, &nobody));
    alerts.extend(scene.end());
    assert_eq!(alerts.len(), 3);
    for alert in &alerts {
        assert!(schema.is_valid(alert), "{alert}");
    }
    for member in alerts[0].as_object().unwrap().keys() {
        let mut without = alerts[0].clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(!schema.is_valid(&without), "{member}");
    }
}

#[test]
fn an_alert_is_a_record_of_the_log_right_behind_what_raised_it() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (log, kept) = (Shared::default(), Kept::default());
    let alerts = Alerts::by(denials()).send_to(Outbox::to("kept", kept.clone()).unwrap());
    let alerts = alerts.build().unwrap();
    let deliveries = alerts.deliveries();
    let layer = AuditLayer::new(JsonLines::to(log.clone()).watched_by(alerts));
    serve(&layer, &by_ann());
    serve(
        &layer,
        &by_ann().tool("delete_all").refused(DenialKind::Forbidden),
    );
    serve(&layer, &by_ann());
    layer.flush(SOON).unwrap();
    deliveries.flush(SOON).unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<_> = lines
        .iter()
        .map(|line| line["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["tool_call", "authorization_denied", "alert", "tool_call"]
    );
    let (denied, alert) = (&lines[1], &lines[2]);
    assert_eq!(alert["correlation_id"], denied["correlation_id"]);
    assert_eq!(alert["metadata"]["found"]["rule"], "denials");
    assert_eq!(alert["metadata"]["found"]["event_id"], denied["event_id"]);
    let received = kept.take();
    assert_eq!(received.len(), 1);
    assert_eq!(alert["metadata"]["detail"], received[0]["text"]);
    assert_eq!(received[0]["records"][0]["event_id"], denied["event_id"]);
    assert_eq!(
        received[0]["records"][0]["correlation_id"],
        denied["correlation_id"]
    );
    let schema = schema(RECORD_SCHEMA);
    assert!(lines.iter().all(|line| schema.is_valid(line)), "{log}");
}

#[test]
fn nothing_sensitive_and_nothing_that_moves_a_cursor_is_in_an_alert() {
    let scene = Scene::by(denials(), |builder| builder);
    let asked = Asked {
        user: Some("ann@example.com"),
        credential: Some("sk_live_abcdefghijklmnop1234567890"),
        tool: Some("delete\u{1b}[31m\u{202e}\nall"),
        ..by_ann()
    };
    let ben = Asked {
        user: Some("anton@example.com"),
        ..asked.clone()
    };
    let alerts = scene.ask(&asked.refused(DenialKind::Forbidden));
    let shown = alerts[0].to_string();
    for secret in ["ann@example", "abcdefghijklmnop", "s3cret", "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.bytes().all(|b| matches!(b, b' '..=b'~')), "{shown}");
    let added = scene.added();
    assert_eq!(added[0]["event_type"], "alert");
    // Who shows alike is not the same.
    assert_eq!(scene.ask(&ben.refused(DenialKind::Forbidden)).len(), 1);
}

#[test]
fn an_alert_is_short_whatever_strangers_send() {
    let schema = schema(JSON_SCHEMA);
    let long = "\u{1b}\u{1f600}".repeat(5000).leak();
    let all = [By::User, By::Address, By::Credential, By::Tool, By::Action];
    let rule = rule("long").denial(DenialKind::Forbidden);
    let rule = all.into_iter().fold(rule, bartizan_alerts::Rule::by);
    let scene = Scene::of(rule);
    let asked = Asked {
        user: Some(long),
        credential: Some(long),
        tool: Some("a".repeat(4000).leak()),
        ..by_ann().address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
    };
    let asked = asked.refused(DenialKind::Forbidden);
    let mut alerts = scene.ask(&asked);
    scene.ask_often(20, &asked);
    alerts.extend(scene.end());
    assert_eq!(alerts.len(), 2);
    for alert in alerts {
        assert!(schema.is_valid(&alert), "{alert}");
        let length = alert.to_string().len();
        assert!(length < 4096, "{length}");
    }
}

#[test]
fn tracing_gets_alerts_by_severity() {
    use tracing::{Event, Metadata, Subscriber, span};
    #[derive(Clone, Default)]
    struct Levels(Arc<Mutex<Vec<String>>>);
    impl Subscriber for Levels {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == TracingReceiver::TARGET
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            self.0
                .lock()
                .unwrap()
                .push(event.metadata().level().to_string());
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }
    let levels = Levels::default();
    // Receivers have threads of their own, which a scoped subscriber would not reach.
    tracing::subscriber::set_global_default(levels.clone()).unwrap();
    for (severity, level) in [
        (bartizan_audit::Severity::Info, "INFO"),
        (bartizan_audit::Severity::Warning, "WARN"),
        (bartizan_audit::Severity::Critical, "ERROR"),
    ] {
        let rule = rule("denials")
            .denial(DenialKind::Forbidden)
            .severity(severity);
        let tracing = Outbox::to("tracing", TracingReceiver::new()).unwrap();
        let scene = Scene::by(Rules::new().rule(rule).unwrap(), |b| b.send_to(tracing));
        scene.ask(&by_ann().refused(DenialKind::Forbidden));
        let emitted = std::mem::take(&mut *levels.0.lock().unwrap());
        assert_eq!(emitted, [level], "{severity:?}");
    }
}

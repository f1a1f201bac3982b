use bartizan_audit::EventId;

use super::*;
use crate::AlertKind;

fn alert(severity: Severity, text: &str) -> Arc<Alert> {
    alert_of("x", severity, text)
}

fn alert_of(rule: &str, severity: Severity, text: &str) -> Arc<Alert> {
    Arc::new(Alert {
        id: EventId::default(),
        rule: rule.into(),
        severity,
        kind: AlertKind::Raised,
        after: None,
        group: Vec::new(),
        is_other: false,
        count: 1,
        first: Duration::ZERO,
        last: Duration::ZERO,
        records: Vec::new(),
        text: text.to_owned(),
    })
}

fn desk(capacity: usize) -> Desk {
    Desk::new("x".into(), capacity, Severity::Info)
}

#[test]
fn of_equals_the_first_stay_and_a_graver_one_takes_the_last_place_of_the_least() {
    let desk = desk(3);
    for (severity, text) in [
        (Severity::Error, "a"),
        (Severity::Notice, "b"),
        (Severity::Notice, "c"),
        (Severity::Notice, "d"),   // dropped
        (Severity::Warning, "e"),  // for c
        (Severity::Critical, "f"), // for b
        (Severity::Warning, "g"),  // dropped
    ] {
        desk.push(&alert(severity, text));
    }
    let mut texts = Vec::new();
    for _ in 0..3 {
        let (alert, missed) = desk.next().unwrap();
        texts.push(alert.text.clone());
        desk.done(Some(missed));
    }
    assert_eq!(texts, ["a", "e", "f"]);
    assert_eq!((desk.missed_in_all(), desk.state().missed), (4, 0));
}

/// A stranger who touches decoys from a thousand networks raises a thousand alerts.
#[test]
fn a_flood_of_one_rule_keeps_no_alert_of_another_away() {
    let desk = desk(4);
    for place in 0..9 {
        desk.push(&alert_of("flood", Severity::Critical, &place.to_string()));
    }
    for text in ["a", "b", "c"] {
        desk.push(&alert_of("rare", Severity::Critical, text));
    }
    desk.push(&alert_of("other", Severity::Error, "slight"));
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(desk.next().unwrap().0.text.clone());
        desk.done(Some(0));
    }
    // As many of the one as of the other, and of each those that tell how it began.
    assert_eq!(texts, ["0", "1", "a", "b"]);
    assert_eq!(desk.missed_in_all(), 9);
    desk.push(&alert_of("flood", Severity::Critical, "later"));
    assert_eq!(desk.next().unwrap().0.text, "later");
}

#[test]
fn only_the_first_one_of_many_is_worth_an_event() {
    let desk = desk(1);
    let push = || desk.push(&alert(Severity::Info, ""));
    assert_eq!(push(), Pushed::Waits);
    assert_eq!(push(), Pushed::Dropped { is_first: true });
    assert_eq!(push(), Pushed::Dropped { is_first: false });
    let (_, missed) = desk.next().unwrap();
    desk.done(Some(missed));
    assert_eq!(push(), Pushed::Waits);
    assert_eq!(push(), Pushed::Dropped { is_first: true });
}

#[test]
fn after_the_deadline_nothing_is_delivered_any_more() {
    let desk = desk(9);
    desk.push(&alert(Severity::Info, ""));
    desk.close(Instant::now());
    assert!(desk.next().is_none());
    assert_eq!(desk.flush(Instant::now()), 1);
    desk.push(&alert(Severity::Info, ""));
    assert_eq!(desk.missed_in_all(), 1);
}

//! What happens outside of requests, in the same log.

use bartizan_audit::{AuditLayer, Records};
use bartizan_core::{Event, FakeClock, Severity};
use serde_json::{Value, json};

use super::common::*;

#[test]
fn a_change_of_configuration_is_recorded_as_one() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).clock(FakeClock::at(NOW));
    let events = layer.recorded_events();
    let swapped = "policy `8` in place of `7`\n";
    events.emit(&Event::new(
        "rbac",
        Severity::Info,
        "policy_swapped",
        swapped,
    ));
    let record = only(&records);
    assert_eq!(record["event_type"], "configuration_change");
    assert_eq!(record["classes"], json!(["configuration_change"]));
    assert_eq!(record["severity"], "notice");
    assert_eq!(
        (&record["action"], &record["result"]),
        (&json!("policy_swapped"), &json!("success"))
    );
    assert_eq!(record["metadata"]["layer"], "rbac");
    assert_eq!(record["metadata"]["detail"], swapped);
    assert_eq!(record["correlation_id"], Value::Null);
}

#[test]
fn who_is_given_something_or_loses_it_changes_the_configuration() {
    let records = Records::new();
    let events = AuditLayer::new(records.clone()).recorded_events();
    for kind in ["grant_given", "grant_revoked", "grant_ended"] {
        events.emit(&Event::new("rbac", Severity::Info, kind, "why"));
    }
    for record in records.all() {
        assert_eq!(record["event_type"], "configuration_change", "{record}");
    }
}

#[test]
fn other_events_are_recorded_and_those_of_the_log_itself_are_not() {
    let records = Records::with_capacity(1);
    let events = AuditLayer::new(records.clone()).recorded_events();
    events.emit(&Event::new(
        "audit",
        Severity::Error,
        "writer_failed",
        "disk full",
    ));
    events.emit(&Event::new(
        "jwt",
        Severity::Error,
        "keys_unreachable",
        "no answer",
    ));
    // There is no room for this one.
    events.emit(&Event::new(
        "jwt",
        Severity::Error,
        "keys_unreachable",
        "no answer",
    ));
    let record = only(&records);
    assert_eq!(record["event_type"], "system_event");
    assert_eq!(
        (&record["severity"], &record["result"]),
        (&json!("error"), &json!("error"))
    );
}

use bartizan_alerts::{By, Rule};
use bartizan_audit::{Classes, Outcome, Severity};
use bartizan_core::{DenialKind, Event};

use super::common::{Asked, Scene, by_ann, rule, rules_of, seconds};

/// Whether one request raises an alert.
fn fits(rule: Rule, asked: &Asked) -> bool {
    !Scene::of(rule).ask(asked).is_empty()
}

#[test]
fn each_thing_that_a_rule_says_is_asked_of_the_record() {
    let admitted = by_ann();
    let refused = by_ann().tool("delete_all").refused(DenialKind::Forbidden);
    let rules: [(&str, fn(Rule) -> Rule, bool, bool); 11] = [
        ("event", |r| r.event("tool_call").unwrap(), true, false),
        (
            "events",
            |r| {
                r.event("tool_call")
                    .unwrap()
                    .event("authorization_denied")
                    .unwrap()
            },
            true,
            true,
        ),
        (
            "class",
            |r| r.class(Classes::AUTHORIZATION_DENIED).unwrap(),
            false,
            true,
        ),
        (
            "classes-at-once",
            |r| {
                r.class(Classes::AUTHORIZATION_DENIED | Classes::ANOMALY)
                    .unwrap()
            },
            false,
            false,
        ),
        ("at-least", |r| r.at_least(Severity::Warning), false, true),
        ("tool", |r| r.tool("delete_*").unwrap(), false, true),
        (
            "tool-exactly",
            |r| r.tool("read_note").unwrap(),
            true,
            false,
        ),
        ("denial", |r| r.denial(DenialKind::Forbidden), false, true),
        ("outcome", |r| r.outcome(Outcome::Admitted), true, false),
        ("action", |r| r.action("tools/*").unwrap(), true, true),
        // All that is said of different sorts must fit.
        (
            "both",
            |r| r.tool("delete_*").unwrap().outcome(Outcome::Admitted),
            false,
            false,
        ),
    ];
    for (name, said, fits_admitted, fits_refused) in rules {
        assert_eq!(fits(said(rule(name)), &admitted), fits_admitted, "{name}");
        assert_eq!(fits(said(rule(name)), &refused), fits_refused, "{name}");
    }
}

#[test]
fn anomalies_are_told_apart_by_who_found_them() {
    let scene = Scene::of(rule("rates").detector("rate").unwrap().by(By::Detector));
    assert!(scene.find("first_use", Severity::Critical).is_empty());
    let alerts = scene.find("rate", Severity::Error);
    assert_eq!(rules_of(&alerts), ["rates"]);
    // Without a severity of its own it has that of the record.
    assert_eq!(alerts[0]["severity"], "error");
    assert_eq!(alerts[0]["group"]["detector"], "rate");
    let text = alerts[0]["text"].as_str().unwrap();
    assert!(
        text.contains("rate `900`, usually `10`, about `ann`"),
        "{text}"
    );
}

#[test]
fn an_alert_comes_at_the_count_within_the_window_and_not_before() {
    let denied = by_ann().refused(DenialKind::Forbidden);
    let rule = rule("denials")
        .class(Classes::AUTHORIZATION_DENIED)
        .unwrap();
    let scene = Scene::of(rule.threshold(3, seconds(60)).unwrap());
    assert!(scene.ask(&denied).is_empty());
    scene.pass(seconds(50));
    assert!(scene.ask(&denied).is_empty());
    // The first one is past: two within the window.
    scene.pass(seconds(11));
    assert!(scene.ask(&denied).is_empty());
    scene.pass(seconds(10));
    let alerts = scene.ask(&denied);
    assert_eq!(rules_of(&alerts), ["denials"]);
    assert_eq!(
        (&alerts[0]["count"], &alerts[0]["type"]),
        (&3.into(), &"alert.raised".into())
    );
    assert_eq!(alerts[0]["first"], "2026-11-23T15:00:50.000000Z");
    assert_eq!(alerts[0]["last"], "2026-11-23T15:01:11.000000Z");
    assert_eq!(alerts[0]["records"].as_array().unwrap().len(), 3);
}

#[test]
fn records_are_counted_apart_by_what_the_rule_says() {
    let denied = || by_ann().refused(DenialKind::Forbidden);
    let cases: [(By, Asked, Asked, &str); 5] = [
        (By::User, denied(), denied().user("ben"), "ann"),
        (
            By::Address,
            denied(),
            denied().address("203.0.113.10"),
            "203.0.113.9",
        ),
        (By::Tool, denied(), denied().tool("write_note"), "read_note"),
        (
            By::Credential,
            denied(),
            Asked {
                credential: Some("jti-2"),
                ..denied()
            },
            "jti-1",
        ),
        // The same name at another issuer is somebody else.
        (
            By::User,
            denied(),
            Asked {
                issuer: "https://other.example",
                ..denied()
            },
            "ann",
        ),
    ];
    for (by, one, other, shown) in cases {
        let rule = rule("denials").denial(DenialKind::Forbidden).by(by);
        let scene = Scene::of(rule.threshold(2, seconds(60)).unwrap());
        assert!(scene.ask(&one).is_empty(), "{by:?}");
        assert!(scene.ask(&other).is_empty(), "{by:?}");
        let alerts = scene.ask(&one);
        assert_eq!(alerts.len(), 1, "{by:?}");
        assert_eq!(alerts[0]["group"], serde_json::json!({ by.name(): shown }));
    }
    // Without it all are one.
    let scene = Scene::of(
        rule("denials")
            .denial(DenialKind::Forbidden)
            .threshold(2, seconds(60))
            .unwrap(),
    );
    assert!(scene.ask(&denied()).is_empty());
    assert_eq!(scene.ask(&denied().user("ben")).len(), 1);
}

#[test]
fn who_has_one_address_of_ipv6_has_the_network() {
    let rule = rule("strangers")
        .denial(DenialKind::CredentialsInvalid)
        .by(By::Address);
    let scene = Scene::of(rule.threshold(2, seconds(60)).unwrap());
    let from = |address| {
        Asked::default()
            .address(address)
            .refused(DenialKind::CredentialsInvalid)
    };
    assert!(scene.ask(&from("2001:db8:1:2::1")).is_empty());
    assert!(scene.ask(&from("2001:db8:1:3::1")).is_empty());
    let alerts = scene.ask(&from("2001:db8:1:2:ffff::7"));
    assert_eq!(alerts[0]["group"]["address"], "2001:db8:1:2::/64");
}

#[test]
fn events_of_this_crate_and_alerts_raise_none() {
    use bartizan_core::Severity;
    let scene = Scene::of(rule("system").event("system_event").unwrap());
    let failed = |layer| Event::new(layer, Severity::Error, "receiver_failed", "gone");
    assert!(scene.report(&failed("alerts")).is_empty());
    assert_eq!(scene.report(&failed("jwt")).len(), 1);

    // What is changed under that name is none of them.
    let scene = Scene::of(rule("change").event("configuration_change").unwrap());
    let swapped = Event::new("alerts", Severity::Info, "policy_swapped", "by hand");
    assert_eq!(scene.report(&swapped).len(), 1);

    // A record of an alert, be it another one's, is none of what any rule is for.
    let any = Scene::of(rule("whatever").at_least(bartizan_audit::Severity::Notice));
    let raised = any.show(|alerts, _| {
        use bartizan_audit::{Adding, Alert, Watcher};
        let mut take = |record: bartizan_audit::Record<'_>| {
            let mut none = |_: bartizan_audit::Record<'_>| panic!("an alert raised an alert");
            alerts.see(&record, &mut Adding::to(&mut none));
        };
        let alert = Alert::new("other", bartizan_audit::Severity::Critical);
        Adding::to(&mut take).alert(super::common::NOW, None, &alert);
    });
    assert!(raised.is_empty());
}

/// Whoever chooses a name is not to choose what a person is told besides.
#[test]
fn a_name_does_not_end_its_own_quotes() {
    let scene = Scene::of(rule("x").denial(DenialKind::Forbidden).by(By::Tool));
    let asked = by_ann().tool("a`, from 192.0.2.1: harmless `");
    let alerts = scene.ask(&asked.refused(DenialKind::Forbidden));
    let text = alerts[0]["text"].as_str().unwrap();
    let name = r"tool `a\u{60}, from 192.0.2.1: harmless \u{60}`";
    assert_eq!(text.matches(name).count(), 2, "{text}");
    assert_eq!(alerts[0]["group"]["tool"], "a`, from 192.0.2.1: harmless `");
}

#[test]
fn a_long_name_of_a_detector_is_shown_in_ascii() {
    let scene = Scene::of(rule("x").event("anomaly").unwrap().by(By::Detector));
    for detector in ["d\u{e9}tecteur", long_name()] {
        let alerts = scene.find(detector, Severity::Error);
        let text = alerts[0]["text"].as_str().unwrap();
        assert!(text.is_ascii() && text.len() <= 500, "{text}");
    }
}

fn long_name() -> &'static str {
    Box::leak("x\u{e9}".repeat(400).into_boxed_str())
}

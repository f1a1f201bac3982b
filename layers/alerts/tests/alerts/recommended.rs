use bartizan_alerts::Rules;
use bartizan_audit::Severity;
use bartizan_core::{DenialKind, Event, Severity as EventSeverity};

use super::common::{Asked, Scene, by_ann, rules_of};

fn scene() -> Scene {
    Scene::by(Rules::recommended(), |builder| builder)
}

#[test]
fn what_is_usual_raises_nothing() {
    let scene = scene();
    assert!(scene.ask_often(100, &by_ann()).is_empty());
    assert!(
        scene
            .ask_often(10, &by_ann().refused(DenialKind::Forbidden))
            .is_empty()
    );
    assert!(
        scene
            .ask_often(
                10,
                &Asked::default().refused(DenialKind::CredentialsMissing)
            )
            .is_empty()
    );
    let quiet = Event::new(
        "jwt",
        EventSeverity::Info,
        "keys_refreshed",
        "as every hour",
    );
    assert!(scene.report(&quiet).is_empty());
    assert!(scene.find("rate", Severity::Notice).is_empty());
}

#[test]
fn seed_u17_abuse_and_failures_raise_alerts_of_what_they_are() {
    let many = |times, asked: &Asked| {
        let alerts = scene().ask_often(times, asked);
        rules_of(&alerts).join(" ")
    };
    assert_eq!(
        many(20, &by_ann().refused(DenialKind::Forbidden)),
        "denials"
    );
    assert_eq!(
        many(20, &by_ann().refused(DenialKind::CredentialsInvalid)),
        "failed-authentication"
    );
    assert_eq!(
        many(50, &by_ann().refused(DenialKind::OriginRefused)),
        "policy-violations"
    );
    assert_eq!(
        many(5, &by_ann().refused(DenialKind::Unavailable)),
        "guard-failure"
    );
    let beyond = by_ann().tool("delete_all").refused(DenialKind::Forbidden);
    assert_eq!(many(3, &beyond), "escalation");
    assert_eq!(
        many(
            1,
            &Asked {
                panics: true,
                ..by_ann()
            }
        ),
        "panic"
    );
}

#[test]
fn a_guess_from_everywhere_is_seen_though_no_address_guesses_often() {
    let scene = scene();
    let mut alerts = Vec::new();
    for address in 0..500 {
        let address = format!("10.0.{}.{}", address / 250, address % 250);
        let guess = Asked::default().address(&address);
        alerts.extend(scene.ask(&guess.refused(DenialKind::CredentialsInvalid)));
    }
    assert_eq!(rules_of(&alerts), ["failed-authentication-everywhere"]);
}

#[test]
fn what_happens_outside_of_requests_raises_what_it_is() {
    let raised = |kind, severity| {
        let alerts = scene().report(&Event::new("rbac", severity, kind, "as the test says"));
        let alerts: Vec<_> = alerts
            .iter()
            .map(|alert| {
                format!(
                    "{} {}",
                    alert["rule"].as_str().unwrap(),
                    alert["severity"].as_str().unwrap()
                )
            })
            .collect();
        alerts.join(", ")
    };
    assert_eq!(
        raised("policy_swapped", EventSeverity::Info),
        "change warning"
    );
    assert_eq!(
        raised("grant_given", EventSeverity::Warning),
        "change warning"
    );
    assert_eq!(
        raised("key_leaked", EventSeverity::Warning),
        "key-leaked critical"
    );
    assert_eq!(
        raised("revocations_not_followed", EventSeverity::Error),
        "system error"
    );
    assert_eq!(raised("provider_down", EventSeverity::Warning), "");
}

#[test]
fn anomalies_of_warning_and_above_are_told_by_detector() {
    let scene = scene();
    assert_eq!(
        rules_of(&scene.find("rate", Severity::Warning)),
        ["anomaly"]
    );
    assert!(scene.find("rate", Severity::Warning).is_empty());
    // Another detector is another group, so that a lesser finding hides none.
    assert_eq!(
        rules_of(&scene.find("two_networks", Severity::Warning)),
        ["anomaly"]
    );
}

#[test]
fn one_touch_of_a_decoy_is_told_at_once() {
    let scene = scene();
    let touched = Asked {
        decoy: true,
        ..by_ann()
    };
    let alerts = scene.ask(&touched);
    assert_eq!(rules_of(&alerts), ["honey-touched"]);
    assert_eq!(alerts[0]["severity"], "critical");
    assert_eq!(scene.ask(&touched.address("203.0.113.77")).len(), 1);
}

use bartizan_alerts::{By, Rule};
use bartizan_audit::Severity;
use bartizan_core::DenialKind;

use super::common::{Asked, Scene, by_ann, rule, seconds};

fn denials() -> Rule {
    let rule = rule("denials").denial(DenialKind::Forbidden).by(By::User);
    rule.cool_down(seconds(600)).unwrap()
}

fn denied() -> Asked {
    by_ann().refused(DenialKind::Forbidden)
}

#[test]
fn one_alert_comes_for_a_rule_and_a_group_and_then_one_sum() {
    let scene = Scene::of(denials());
    let first = scene.ask_often(1, &denied());
    assert_eq!(first.len(), 1);
    assert!(scene.ask_often(50, &denied()).is_empty());
    // Another group has an alert of its own.
    assert_eq!(scene.ask(&denied().user("ben")).len(), 1);
    scene.pass(seconds(300));
    assert!(scene.ask_often(7, &denied()).is_empty());

    let sums = scene.pass(seconds(300));
    assert_eq!(sums.len(), 1, "of ben nothing is to be told");
    let sum = &sums[0];
    assert_eq!(
        (&sum["type"], &sum["count"]),
        (&"alert.repeated".into(), &57.into())
    );
    assert_eq!(
        (&sum["after"], &sum["group"]["user"]),
        (&first[0]["id"], &"ann".into())
    );
    assert_eq!(sum["first"], "2026-11-23T15:00:00.000000Z");
    assert_eq!(sum["last"], "2026-11-23T15:05:00.000000Z");
    assert_eq!(sum["records"].as_array().unwrap().len(), 8);
    assert!(sum["text"].as_str().unwrap().contains("57 more in 300 s"));

    // Whoever goes on is told of once in each time of quiet, and whoever stops no more.
    assert!(scene.ask(&denied()).is_empty());
    assert_eq!(scene.pass(seconds(600))[0]["count"], 1);
    assert!(scene.pass(seconds(600)).is_empty());
    assert_eq!(scene.ask(&denied())[0]["type"], "alert.raised");
}

#[test]
fn the_next_record_tells_what_ended_though_nobody_woke_it() {
    let scene = Scene::of(denials());
    scene.ask_often(3, &denied());
    scene.clock.advance(seconds(600));
    let alerts = scene.ask(&by_ann().user("eve"));
    assert_eq!((alerts.len(), &alerts[0]["count"]), (1, &2.into()));
}

#[test]
fn what_is_graver_breaks_the_quiet() {
    let scene = Scene::of(rule("anomaly").event("anomaly").unwrap());
    assert_eq!(scene.find("rate", Severity::Notice).len(), 1);
    assert!(scene.find("rate", Severity::Notice).is_empty());
    let graver = scene.find("first_use", Severity::Critical);
    assert_eq!(graver.len(), 1);
    assert_eq!(graver[0]["severity"], "critical");
    assert_eq!(
        (&graver[0]["type"], &graver[0]["count"]),
        (&"alert.raised".into(), &2.into())
    );
    for severity in [Severity::Critical, Severity::Error, Severity::Notice] {
        assert!(scene.find("rate", severity).is_empty(), "{severity:?}");
    }
    // Quiet goes on from where it began.
    let sums = scene.pass(seconds(600));
    assert_eq!(
        (&sums[0]["count"], &sums[0]["severity"]),
        (&3.into(), &"critical".into())
    );
}

#[test]
fn at_the_end_what_was_not_told_is_told() {
    let scene = Scene::of(denials());
    scene.ask_often(5, &denied());
    let sums = scene.end();
    assert_eq!((sums.len(), &sums[0]["count"]), (1, &4.into()));
    assert!(scene.end().is_empty());
}

#[test]
fn who_comes_beyond_the_groups_counts_with_all_others_and_is_told_of() {
    let strangers = rule("strangers")
        .denial(DenialKind::Forbidden)
        .by(By::Address);
    let scene = Scene::of(strangers.groups(3).unwrap());
    let from = |last: u32| denied().address(&format!("203.0.113.{last}"));
    for last in 0..3 {
        assert_eq!(scene.ask(&from(last)).len(), 1);
    }
    let others = scene.ask(&from(3));
    assert_eq!((others.len(), &others[0]["is_other"]), (1, &true.into()));
    assert!(others[0]["text"].as_str().unwrap().contains("more groups"));
    for last in 4..100 {
        assert!(scene.ask(&from(last)).is_empty(), "{last}");
    }
    // Those that have a place keep it.
    assert!(scene.ask(&from(0)).is_empty());
    let sums = scene.pass(seconds(600));
    let mut counts: Vec<_> = sums
        .iter()
        .map(|sum| sum["count"].as_u64().unwrap())
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 96]);
    // And with quiet over there is a place again.
    scene.pass(seconds(600));
    assert_eq!(scene.ask(&from(200))[0]["is_other"], false);
}

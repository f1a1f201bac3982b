//! Decoys: one touch is enough, whatever else goes on.

use bartizan_detect::Detectors;
use serde_json::json;

use super::stage::{Ask, Stage};

#[tokio::test]
async fn each_touch_of_a_honey_tool_is_a_critical_finding_at_once_whatever_the_answer() {
    let detectors = Detectors::builder().honey_tools(["export_all_users"]);
    let stage = Stage::new(detectors.build().unwrap());
    let ask = || Ask::of("ann").tool("export_all_users");
    stage.ask(ask()).await;
    stage.ask(ask().denied()).await;
    stage.ask(ask().unknown()).await;
    stage.ask(Ask::of("ann").tool("export_all_user")).await;
    let anomalies = stage.anomalies();
    assert_eq!(anomalies.len(), 3);
    for anomaly in &anomalies {
        let found = &anomaly["metadata"]["found"];
        assert_eq!(found["detector"], "honey");
        assert_eq!(found["value"], "tool `export_all_users`");
        assert_eq!(found["about"], "user ann");
        assert_eq!(anomaly["severity"], "critical");
    }
}

#[tokio::test]
async fn what_a_guard_marked_as_a_decoy_is_told_without_being_listed() {
    let stage = Stage::usual();
    stage
        .ask(
            Ask::of("ann")
                .tool("vault")
                .denied()
                .touching("tool `vault`"),
        )
        .await;
    stage
        .ask(Ask::refused("bz_decoy").key("k0").touching("key `k0`"))
        .await;
    let found = stage.found();
    assert_eq!(
        found[0],
        [
            "honey",
            "tool `vault`",
            "nobody has a reason to",
            "user ann"
        ]
    );
    assert_eq!(
        found[1],
        [
            "honey",
            "key `k0`",
            "nobody has a reason to",
            "address 192.0.2.1"
        ]
    );
    assert_eq!(
        stage.records()[0]["classes"].as_array().unwrap().last(),
        Some(&json!("honey_touched"))
    );
}

#[tokio::test]
async fn a_flood_of_other_findings_does_not_fold_a_touch() {
    let stage = Stage::usual();
    for number in 0..100 {
        stage.ask(Ask::refused(number).key(number)).await;
    }
    let before = stage.found().len();
    stage
        .ask(Ask::refused("bz_decoy").key("k0").touching("key `k0`"))
        .await;
    let found = stage.found();
    assert_eq!(found.len(), before + 1);
    assert_eq!(found[before][0], "honey");
}

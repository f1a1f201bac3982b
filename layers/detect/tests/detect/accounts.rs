//! What accounts do that is unlike them, or not theirs to do.

use std::time::Duration;

use bartizan_detect::{Bound, Detector, Detectors};

use super::stage::{Ask, Stage};

fn second() -> Duration {
    Duration::from_secs(1)
}

#[tokio::test]
async fn a_normal_day_of_several_users_yields_nothing() {
    let stage = Stage::usual();
    for minute in 0..60 {
        for user in ["ann", "bob", "eve"] {
            // Some days are busier, some calls fail, and now and then one is denied.
            for number in 0..5 + minute % 20 {
                let ask = Ask::of(user).with(&format!("jti-{user}-{}", minute / 30));
                stage.ask(ask.tool(format!("read_{}", number % 12))).await;
            }
            if minute % 15 == 0 {
                stage
                    .ask(Ask::of(user).tool("read_salaries").denied())
                    .await;
                stage.ask(Ask::of(user).tool("search").unknown()).await;
            }
        }
        stage.clock.advance(second() * 60);
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn who_is_denied_again_and_again_is_told_with_how_often() {
    let stage = Stage::usual();
    for _ in 0..19 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
    }
    assert!(stage.found().is_empty());
    stage
        .ask(Ask::of("bob").tool("read_salaries").denied())
        .await;
    assert!(stage.found().is_empty(), "another account");
    stage
        .ask(Ask::of("ann").tool("read_salaries").denied())
        .await;
    let found = stage.found();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0],
        ["repeated_denials", "20", "20 within 600 s", "user ann"]
    );
    let anomaly = &stage.anomalies()[0];
    assert_eq!(anomaly["user_id"], "ann");
    assert_eq!(anomaly["ip_address"], "192.0.2.1");
}

#[tokio::test]
async fn denials_over_a_long_time_are_no_finding() {
    let stage = Stage::usual();
    for _ in 0..100 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
        stage.clock.advance(second() * 60);
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn seed_u17_an_attempt_at_what_is_destructive_is_escalation() {
    let stage = Stage::usual();
    stage.ask(Ask::of("ann").tool("delete_note").denied()).await;
    let found = stage.found();
    assert_eq!(found, [["escalation", "1", "1 within 600 s", "user ann"]]);
    assert_eq!(stage.anomalies()[0]["severity"], "error");
}

#[tokio::test]
async fn the_first_use_of_a_destructive_tool_is_told_once_per_account_and_tool() {
    let stage = Stage::usual();
    for (user, tool) in [
        ("ann", "delete_note"),
        ("ann", "delete_note"),
        ("bob", "delete_note"),
        ("ann", "delete_all"),
        ("ann", "read_note"),
    ] {
        stage.ask(Ask::of(user).tool(tool)).await;
    }
    let found = stage.found();
    let about: Vec<_> = found.iter().map(|f| (&*f[1], &*f[3])).collect();
    assert_eq!(
        about,
        [
            ("delete_note", "user ann"),
            ("delete_note", "user bob"),
            ("delete_all", "user ann")
        ]
    );
    assert!(
        found
            .iter()
            .all(|found| found[0] == "first_destructive_use")
    );
    assert_eq!(stage.anomalies()[0]["severity"], "notice");
}

#[tokio::test]
async fn a_rate_unlike_its_history_is_told_with_its_mean() {
    let stage = Stage::usual();
    for _ in 0..12 {
        for _ in 0..20 {
            stage.ask(Ask::of("ann")).await;
        }
        stage.clock.advance(second() * 61);
    }
    for _ in 0..99 {
        stage.ask(Ask::of("ann")).await;
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
    stage.ask(Ask::of("ann")).await;
    let found = stage.found();
    assert_eq!(found[0][..2], ["rate", "100"]);
    assert_eq!(
        found[0][2],
        "100 within 60 s, 20.0 in the mean of 12 windows"
    );
    assert_eq!(found[0][3], "user ann");
}

#[tokio::test]
async fn a_new_account_that_asks_much_has_no_history_to_be_unlike() {
    let stage = Stage::usual();
    for _ in 0..500 {
        stage.ask(Ask::of("new")).await;
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn many_names_of_tools_that_are_denied_or_unknown_are_probing_and_one_again_and_again_is_not()
{
    let stage = Stage::usual();
    for _ in 0..15 {
        stage.ask(Ask::of("bob").tool("reed_note").unknown()).await;
    }
    assert!(stage.found().is_empty());
    for number in 0..8 {
        let ask = Ask::of("ann").tool(format!("tool_{number}"));
        let ask = if number % 2 == 0 {
            ask.denied()
        } else {
            ask.unknown()
        };
        stage.ask(ask).await;
    }
    let found = stage.found();
    assert_eq!(
        found,
        [["unknown_tools", "8", "8 within 600 s", "user ann"]]
    );
}

#[tokio::test]
async fn a_detector_that_is_off_finds_nothing_and_a_bound_of_ones_own_counts() {
    let detectors = Detectors::builder()
        .off(Detector::Escalation)
        .repeated_denials(Bound::new(2, second()));
    let stage = Stage::new(detectors.build().unwrap());
    stage.ask(Ask::of("ann").tool("delete_note").denied()).await;
    stage.clock.advance(second() * 2);
    stage.ask(Ask::of("ann").tool("delete_note").denied()).await;
    assert!(stage.found().is_empty());
    stage.ask(Ask::of("ann").tool("delete_note").denied()).await;
    assert_eq!(
        stage.told(),
        [("repeated_denials".to_owned(), "2".to_owned())]
    );
}

//! What is told when windows end, and what time has to do with it.

use std::time::Duration;

use super::stage::{Ask, Stage};

#[tokio::test]
async fn the_end_of_a_window_tells_what_it_came_to_if_that_is_more_than_was_told() {
    let stage = Stage::usual();
    for _ in 0..33 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
    }
    stage.clock.advance(Duration::from_secs(601));
    assert_eq!(stage.told().len(), 1);
    // Whoever comes next.
    stage.ask(Ask::of("bob")).await;
    let found = stage.found();
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[1],
        [
            "repeated_denials",
            "33 in all",
            "20 within 600 s",
            "user ann"
        ]
    );
    assert!(
        stage.anomalies()[1]["user_id"].is_null(),
        "it is not of bob's request"
    );
    // The next window is another one.
    for _ in 0..20 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
    }
    stage.clock.advance(Duration::from_secs(601));
    stage.ask(Ask::of("bob")).await;
    assert_eq!(stage.told().len(), 3, "nothing more than was told");
}

#[tokio::test]
async fn a_flood_of_one_kind_is_a_handful_of_findings() {
    let stage = Stage::usual();
    for number in 0..5000 {
        stage
            .ask(Ask::of("ann").tool(format!("read_{}", number % 4)).denied())
            .await;
    }
    assert!(stage.found().len() <= 10, "{:?}", stage.found());
}

#[tokio::test]
async fn a_clock_that_is_set_back_ends_no_window_and_blinds_nobody() {
    let stage = Stage::usual();
    let start = Duration::from_secs(1_795_446_000);
    for _ in 0..10 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
    }
    stage.clock.step_wall_to(start - Duration::from_secs(7200));
    for _ in 0..10 {
        stage
            .ask(Ask::of("ann").tool("read_salaries").denied())
            .await;
    }
    assert_eq!(
        stage.told(),
        [("repeated_denials".to_owned(), "20".to_owned())]
    );
    // Once it is plain that it was set back, windows go on from there.
    for _ in 0..100 {
        stage.ask(Ask::of("bob")).await;
    }
    for _ in 0..20 {
        stage
            .ask(Ask::of("eve").tool("read_salaries").denied())
            .await;
    }
    assert_eq!(stage.told().len(), 2);
}

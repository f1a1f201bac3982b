//! Where a credential is used.

use std::time::Duration;

use super::stage::{Ask, Stage};

#[tokio::test]
async fn one_credential_in_two_networks_at_a_time_is_told_with_both() {
    let stage = Stage::usual();
    let ask = || Ask::of("ann").with("jti-1");
    stage.ask(ask()).await;
    stage.ask(ask().from("192.0.2.99")).await;
    assert!(stage.found().is_empty(), "the same network");
    stage.ask(ask().from("198.51.100.7")).await;
    stage.ask(ask()).await;
    let found = stage.found();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0][..2], ["two_networks", "2"]);
    let baseline = "2 within 600 s; before 192.0.2.0/24, now 198.51.100.0/24";
    assert_eq!(found[0][2], baseline);
    assert_eq!(found[0][3], "credential jti-1");
}

#[tokio::test]
async fn a_client_of_both_families_and_one_that_moves_later_are_no_finding() {
    let stage = Stage::usual();
    let ask = || Ask::of("ann").with("jti-1");
    stage.ask(ask()).await;
    stage.ask(ask().from("2001:db8::1")).await;
    stage.clock.advance(Duration::from_secs(601));
    stage.ask(ask().from("198.51.100.7")).await;
    stage.ask(ask().from("2001:db8::2")).await;
    // Two devices of one user have a credential each.
    stage
        .ask(Ask::of("ann").with("jti-2").from("203.0.113.1"))
        .await;
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn the_same_id_from_another_issuer_of_credentials_is_another_credential() {
    let stage = Stage::usual();
    stage.ask(Ask::of("ann").with("1")).await;
    // Without an id nothing is known.
    stage.ask(Ask::of("bob")).await;
    stage.ask(Ask::of("bob").from("198.51.100.7")).await;
    assert!(stage.found().is_empty());
}

//! Strangers by the thousand, who are to make nobody forgotten.

use std::net::{IpAddr, Ipv6Addr};

use bartizan_detect::Detectors;

use super::stage::{Ask, Stage};

#[tokio::test]
async fn a_flood_of_strange_networks_does_not_reset_who_is_being_counted() {
    let detectors = Detectors::builder().subjects(64, 64, 64).build().unwrap();
    let stage = Stage::new(detectors);
    for number in 0..15 {
        stage.ask(Ask::refused(number)).await;
    }
    for number in 0..5000u128 {
        let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | number << 80);
        let ask = Ask::refused(format!("noise {number}"));
        stage.ask(ask.at(IpAddr::V6(address))).await;
    }
    for number in 15..26 {
        stage.ask(Ask::refused(number)).await;
    }
    let found = stage.found();
    let of_the_attacker = found
        .iter()
        .filter(|found| found[3] == "network 192.0.2.0/24");
    assert_eq!(of_the_attacker.count(), 1, "{found:?}");
}

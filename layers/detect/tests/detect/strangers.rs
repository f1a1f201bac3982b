//! Who guesses credentials, and who only has old ones.

use super::stage::{Ask, Stage};

#[tokio::test]
async fn many_credentials_refused_in_one_network_are_stuffing_told_once_and_at_each_doubling() {
    let stage = Stage::usual();
    for number in 0..60 {
        stage
            .ask(Ask::refused(number).from(["192.0.2.1", "192.0.2.200"][number % 2]))
            .await;
    }
    let found = stage.found();
    assert_eq!(found.len(), 2, "{found:?}");
    let [detector, value, baseline, about] = &found[0];
    assert_eq!(detector, "credential_stuffing");
    let value: u32 = value.parse().unwrap();
    assert!((20..=21).contains(&value), "{value}");
    assert_eq!(baseline, "20 within 600 s, 0 accounts identified there");
    assert_eq!(about, "network 192.0.2.0/24");
    let anomaly = &stage.anomalies()[0];
    assert_eq!(anomaly["severity"], "error");
    assert_eq!(
        anomaly["metadata"]["found"]["feature"],
        "refused_credentials"
    );
}

#[tokio::test]
async fn one_bad_credential_again_and_again_is_no_stuffing() {
    let stage = Stage::usual();
    for _ in 0..500 {
        stage.ask(Ask::refused("expired yesterday")).await;
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn an_office_whose_tokens_expire_each_hour_is_no_stuffing() {
    let stage = Stage::usual();
    for hour in 0..3 {
        for user in 0..200 {
            stage
                .ask(Ask::refused(format!("token {hour} of {user}")))
                .await;
            stage.ask(Ask::of(&format!("user{user}"))).await;
        }
        stage.clock.advance(std::time::Duration::from_secs(3600));
    }
    assert!(stage.found().is_empty(), "{:?}", stage.found());
}

#[tokio::test]
async fn one_account_of_ones_own_does_not_hide_stuffing() {
    let stage = Stage::usual();
    for number in 0..30 {
        stage.ask(Ask::refused(number)).await;
        stage.ask(Ask::of("mallory")).await;
    }
    assert_eq!(stage.told().len(), 1, "{:?}", stage.found());
}

#[tokio::test]
async fn one_credential_refused_in_many_networks_is_spray_and_two_are_not() {
    let stage = Stage::usual();
    let networks = [
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "10.9.9.9",
    ];
    for from in &networks[..4] {
        stage.ask(Ask::refused("stolen").from(from)).await;
    }
    assert!(stage.found().is_empty());
    stage.ask(Ask::refused("stolen").from(networks[4])).await;
    let found = stage.found();
    assert_eq!(found[0][0], "credential_spray");
    assert_eq!(found[0][1], "5");
    assert_eq!(found[0][3], "a credential that is refused");
}

#[tokio::test]
async fn one_api_key_guessed_from_many_networks_is_told_by_its_id() {
    let stage = Stage::usual();
    for (number, from) in [
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "10.1.1.1",
        "10.9.9.9",
    ]
    .into_iter()
    .enumerate()
    {
        let secret = format!("bz_k7_{number}");
        stage.ask(Ask::refused(secret).key("k7").from(from)).await;
    }
    let found = stage.found();
    assert_eq!(
        (&*found[0][0], &*found[0][3]),
        ("credential_spray", "key `k7`")
    );
}

#[tokio::test]
async fn many_key_ids_are_enumeration_and_many_secrets_of_one_are_not() {
    let stage = Stage::usual();
    for number in 0..19 {
        stage
            .ask(Ask::refused(format!("one {number}")).key("k1"))
            .await;
    }
    assert!(stage.found().is_empty());
    for number in 0..10 {
        let ask = Ask::refused(format!("other {number}")).key(format!("id{number}"));
        stage.ask(ask.from("198.51.100.1")).await;
    }
    let found = stage.found();
    assert_eq!(found[0][0], "key_enumeration");
    assert_eq!(found[0][1], "10");
    assert_eq!(found[0][2], "10 within 600 s");
    assert_eq!(found[0][3], "network 198.51.100.0/24");
}

#[tokio::test]
async fn strangers_who_try_names_of_tools_are_told_by_their_network() {
    let stage = Stage::usual();
    for number in 0..8 {
        let ask = Ask {
            from: "203.0.113.5",
            ..Ask::default()
        };
        stage
            .ask(ask.tool(format!("admin_{number}")).unknown())
            .await;
    }
    let found = stage.found();
    assert_eq!(found[0][0], "unknown_tools");
    assert_eq!(found[0][3], "network 203.0.113.0/24");
}

#[tokio::test]
async fn guesses_from_everywhere_are_a_surge_over_what_is_usually_refused() {
    let stage = Stage::usual();
    let mut number = 0u32;
    let mut guess = async |refused: u32| {
        for _ in 0..refused {
            number += 1;
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 | number << 8);
            stage.ask(Ask::refused(number).at(address.into())).await;
        }
        stage.clock.advance(std::time::Duration::from_secs(61));
        stage.found()
    };
    for _ in 0..12 {
        assert!(guess(30).await.is_empty());
    }
    let found = guess(150).await;
    assert_eq!(found[0][..2], ["refusal_surge", "150"]);
    assert_eq!(
        found[0][2],
        "150 within 60 s, 30.0 in the mean of 12 windows"
    );
    assert_eq!(found[0][3], "all that is refused");
}

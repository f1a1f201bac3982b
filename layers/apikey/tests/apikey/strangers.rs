use std::{net::IpAddr, time::Duration};

use bartizan_apikey::{ApiKeyConfig, ApiKeys, MemoryStore};
use bartizan_core::DenialKind;

use super::{
    counting::Counting,
    made_up::made_up,
    support::{builder, clock, issue, keys, verify},
};

async fn kind(keys: &ApiKeys, text: &str, from: IpAddr) -> Option<DenialKind> {
    let verdict = keys.verifier().verify(text, Some(from)).await;
    verdict.err().map(|denial| denial.kind())
}

#[tokio::test]
async fn a_hundred_thousand_random_keys_cost_no_read() {
    let (keys, store) = keys(&clock());
    let key = issue(&keys).await;
    let mut text = key.text().to_owned().into_bytes();
    for n in 0..100_000_u32 {
        // Letters and digits of base32, all of them wrong together.
        for (place, letter) in text[28..].iter_mut().enumerate() {
            let mixed = n.wrapping_mul(2_654_435_761).rotate_left(place as u32 % 31);
            *letter = b"abcdefghijklmnopqrstuvwxyz234567"[(mixed % 32) as usize];
        }
        let text = std::str::from_utf8(&text).unwrap();
        assert!(verify(&keys, text).await.is_err());
    }
    assert_eq!(store.reads(), 0);
    assert!(verify(&keys, key.text()).await.is_ok());
}

#[tokio::test]
async fn keys_that_were_made_up_with_a_right_checksum_are_throttled_and_harm_nobody() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (known, new) = (issue(&keys).await, issue(&keys).await);
    let from = |last: u8| IpAddr::from([192, 0, 2, last]);
    assert_eq!(kind(&keys, known.text(), from(1)).await, None);
    let before = store.reads();
    let mut refused = 0;
    for n in 0..100_000 {
        match kind(&keys, &made_up(n), from(66)).await.unwrap() {
            DenialKind::Unavailable => refused += 1,
            kind => assert_eq!(kind, DenialKind::CredentialsInvalid),
        }
        // Somebody who is known is none the worse for it.
        if n % 1000 == 0 {
            assert_eq!(kind(&keys, known.text(), from(66)).await, None);
        }
    }
    let asked = store.reads() - before;
    assert_eq!(asked + refused, 100_000);
    assert!((500..1_000).contains(&asked), "{asked}");
    // A key that was good is looked up again, and one that nobody saw is from elsewhere.
    clock.advance(Duration::from_secs(30));
    assert_eq!(kind(&keys, known.text(), from(66)).await, None);
    assert_eq!(kind(&keys, new.text(), from(2)).await, None);
}

#[tokio::test]
async fn strangers_everywhere_have_one_budget_and_leave_known_keys_alone() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let known = issue(&keys).await;
    let here = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(kind(&keys, known.text(), here).await, None);
    let before = store.reads();
    for n in 0..100_000_u64 {
        let from = IpAddr::from([198, 18, (n % 16) as u8, (n / 16 % 256) as u8]);
        assert!(kind(&keys, &made_up(n), from).await.is_some());
    }
    // What ten minutes permit, of which the last few are for networks that took none yet.
    let asked = store.reads() - before;
    assert!((5_900..=6_000).contains(&asked), "{asked}");
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        kind(&keys, known.text(), here).await,
        None,
        "looked up again"
    );
    assert_eq!(store.reads() - before, asked + 1);
}

#[tokio::test]
async fn while_the_store_is_down_known_keys_are_good_for_a_bounded_time_and_others_wait() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (known, new) = (issue(&keys).await, issue(&keys).await);
    let here = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(kind(&keys, known.text(), here).await, None);
    store.is_down(true);
    clock.advance(Duration::from_secs(31));
    assert_eq!(kind(&keys, known.text(), here).await, None);
    let down = Some(DenialKind::Unavailable);
    assert_eq!(kind(&keys, new.text(), here).await, down);
    clock.advance(Duration::from_secs(300));
    assert_eq!(kind(&keys, known.text(), here).await, down);
    store.is_down(false);
    clock.advance(Duration::from_secs(10));
    for key in [&known, &new] {
        assert_eq!(kind(&keys, key.text(), here).await, None);
    }
}

#[tokio::test]
async fn a_record_that_can_t_be_read_keeps_nobody_from_the_others() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let [spoilt, known, new] = [issue(&keys).await, issue(&keys).await, issue(&keys).await];
    let here = IpAddr::from([192, 0, 2, 1]);
    for key in [&spoilt, &known] {
        assert_eq!(kind(&keys, key.text(), here).await, None);
    }
    store.spoil(spoilt.record().id);
    clock.advance(Duration::from_secs(30));
    // It may be revoked, so that it was good counts for nothing.
    let down = Some(DenialKind::Unavailable);
    for _ in 0..10 {
        assert_eq!(kind(&keys, spoilt.text(), here).await, down);
        clock.advance(Duration::from_secs(10));
    }
    let before = store.reads();
    for key in [&known, &new] {
        assert_eq!(kind(&keys, key.text(), here).await, None);
    }
    assert_eq!(store.reads() - before, 2, "they were asked about");
}

#[tokio::test]
async fn a_setting_out_of_range_names_itself() {
    let build = |json: &str| {
        let config: ApiKeyConfig = serde_json::from_str(json).unwrap();
        let store = Counting::new(MemoryStore::new());
        builder(store, &clock()).config(config).build()
    };
    assert!(build("{}").is_ok());
    for setting in [
        "key_age_seconds",
        "key_capacity",
        "max_lookups",
        "timeout_seconds",
    ] {
        let error = build(&format!(r#"{{"{setting}":0}}"#)).unwrap_err();
        assert_eq!(error.setting(), setting);
    }
    assert!(serde_json::from_str::<ApiKeyConfig>(r#"{"key_age":1}"#).is_err());
}

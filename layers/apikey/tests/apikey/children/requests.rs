use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_apikey::{ApiKeyConfig, ApiKeyLayer, Attenuation, MemoryStore};
use bartizan_core::{DenialKind, Event, Events, SecurityContext, Verdict};
use http::StatusCode;
use tower::{Layer as _, ServiceExt as _};

use super::{
    super::{
        counting::Counting,
        support::{builder, clock, issue, keys, send, verify, with},
    },
    child,
    forger::Forged,
    held,
};

#[tokio::test]
async fn a_child_is_taken_wherever_a_key_is_and_goes_no_further() {
    let (keys, _) = keys(&clock());
    let child = child(&issue(&keys).await);
    let text = child.text();
    for request in [
        with("x-api-key", text),
        with("authorization", format!("ApiKey {text}")),
        with("authorization", format!("Bearer {text}")),
    ] {
        let response = send(&keys, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), "ci 0", "no field is left (TV-15)");
    }
}

#[tokio::test]
async fn ac_15_children_that_are_not_good_are_told_the_same_as_keys() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let (others, _) = super::super::support::keys(&clock);
    let (revoked, key, unknown) = (issue(&keys).await, issue(&keys).await, issue(&others).await);
    keys.revoke(revoked.record().id, "left").await.unwrap();
    let expired = held(&key).attenuate(Attenuation::new().expires_at(1));
    let mut broken = Forged::of(key.text()).link(&[]);
    broken.links[0].signature[9] ^= 1;
    let mut answers = Vec::new();
    for text in [
        child(&revoked).text(),
        child(&unknown).text(),
        expired.unwrap().text(),
        &broken.text(),
        unknown.text(),
        "x",
    ] {
        let response = send(&keys, with("x-api-key", text)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        answers.push((response.headers().clone(), response.into_body()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn seed_a15_unknown_broken_and_revoked_children_cost_one_read_each() {
    let (keys, store) = keys(&clock());
    let (others, _) = super::super::support::keys(&clock());
    let (good, revoked) = (issue(&keys).await, issue(&keys).await);
    keys.revoke(revoked.record().id, "left").await.unwrap();
    let mut broken = Forged::of(good.text()).link(&[]);
    broken.links[0].signature[9] ^= 1;
    let unknown = issue(&others).await;
    for text in [
        child(&good).text(),
        child(&revoked).text(),
        child(&unknown).text(),
        &broken.text(),
    ] {
        let before = store.reads();
        for _ in 0..3 {
            send(&keys, with("x-api-key", text)).await;
        }
        assert_eq!(store.reads() - before, 1);
    }
}

#[tokio::test]
async fn children_made_up_under_an_id_that_is_known_are_throttled_and_harm_nobody() {
    let store = Counting::new(MemoryStore::new());
    let mut config = ApiKeyConfig::default();
    config.new_keys_per_minute = 20;
    let keys = builder(store.clone(), &clock()).config(config);
    let keys = keys.build().unwrap();
    let key = issue(&keys).await;
    let kind = async |text: &str, last: u8| {
        let from = IpAddr::from([192, 0, 2, last]);
        let verdict = keys.verifier().verify(text, Some(from)).await;
        verdict.err().map(|denial| denial.kind())
    };
    assert_eq!(kind(key.text(), 1).await, None);
    let before = store.reads();
    let mut refused = 0;
    for n in 0..300_u16 {
        let mut stranger = Forged::of(key.text());
        stranger.seed = [9; 32];
        let [high, low] = n.to_be_bytes();
        let body = [&[7, 0, 4, 0, 2][..], &[b'a' + high, b'a' + low % 26]].concat();
        let text = stranger
            .link(&body)
            .link(&[1, 0, 1, b'!' + (low / 26)])
            .text();
        match kind(&text, 66).await.unwrap() {
            DenialKind::Unavailable => refused += 1,
            kind => assert_eq!(kind, DenialKind::CredentialsInvalid),
        }
    }
    let asked = store.reads() - before;
    assert_eq!(asked + refused, 300);
    assert!((15..60).contains(&asked), "{asked}");
    assert_eq!(kind(key.text(), 66).await, None);
    assert_eq!(kind(child(&key).text(), 2).await, None);
}

#[tokio::test]
async fn a_child_is_good_from_where_all_of_its_line_are() {
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let only = |network: &str| Attenuation::new().only_networks([network.parse().unwrap()]);
    let child = held(&key).attenuate(only("192.0.2.0/24")).unwrap();
    let grandchild = child.attenuate(only("192.0.2.77/28")).unwrap();
    let elsewhere = child.attenuate(only("198.51.100.0/24")).unwrap();
    let verify = async |held: &bartizan_apikey::HeldKey, from: &str| {
        let from = from.parse().ok();
        keys.verifier().verify(held.text(), from).await.is_ok()
    };
    assert!(verify(&child, "192.0.2.9").await);
    assert!(verify(&child, "::ffff:192.0.2.9").await);
    assert!(!verify(&child, "198.51.100.1").await);
    assert!(!verify(&child, "").await);
    assert!(verify(&grandchild, "192.0.2.70").await);
    assert!(!verify(&grandchild, "192.0.2.9").await);
    assert!(!verify(&elsewhere, "198.51.100.1").await);
    assert!(!verify(&elsewhere, "192.0.2.9").await);
}

#[tokio::test]
async fn a_remembered_child_is_good_while_the_store_is_down_and_another_is_not() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = issue(&keys).await;
    let known = child(&key);
    assert_eq!(verify(&keys, known.text()).await, Ok(()));
    store.is_down(true);
    clock.advance(Duration::from_secs(60));
    assert_eq!(verify(&keys, known.text()).await, Ok(()));
    let verdict = keys.verifier().verify(child(&key).text(), None).await;
    assert_eq!(verdict.unwrap_err().kind(), DenialKind::Unavailable);
}

#[tokio::test]
async fn an_answer_tells_when_the_child_ends_and_not_its_key() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let key = issue(&keys).await;
    let hour = Attenuation::new().expires_at(super::super::support::NOW + 3600);
    let child = held(&key).attenuate(hour).unwrap();
    let response = send(&keys, with("x-api-key", child.text())).await;
    assert_eq!(
        response.headers()["x-api-key-expires"],
        "2027-01-15T09:00:00Z"
    );
}

#[tokio::test]
async fn who_called_with_which_child_is_recorded_and_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let events = Events::to(move |event: &Event| {
        heard
            .lock()
            .unwrap()
            .push((event.kind, event.detail.to_string()));
    });
    let keys = builder(MemoryStore::new(), &clock()).events(events);
    let keys = keys.build().unwrap();
    let key = issue(&keys).await;
    let child = held(&key).attenuate(Attenuation::new().label("nightly build"));
    let grandchild = child.unwrap().attenuate(Attenuation::new()).unwrap();
    let [first, second] = &*grandchild.blocks() else {
        panic!("two links");
    };
    let expected = format!(
        "child of key `{}`, depth 2, `{first}` called `nightly build` by its holder, `{second}`",
        key.record().id
    );
    for _ in 0..2 {
        let mut request = with("x-api-key", grandchild.text());
        let context = SecurityContext::of(&mut request);
        context.open_trail();
        let inner = tower::service_fn(|_| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<
                bytes::Bytes,
            >::default()))
        });
        let layer = ApiKeyLayer::new(keys.verifier()).layer(inner);
        assert_eq!(layer.oneshot(request).await.unwrap().status(), 200);
        let findings = context.trail().unwrap().findings();
        let finding = findings.iter().find(|f| f.kind == "attenuated").unwrap();
        assert_eq!((finding.layer, finding.verdict), ("apikey", Verdict::Noted));
        assert_eq!(finding.reason, expected);
    }
    let told = told.lock().unwrap();
    let seen: Vec<_> = told
        .iter()
        .filter(|(kind, _)| *kind == "child_seen")
        .collect();
    assert_eq!(seen, [&("child_seen", expected)]);
}

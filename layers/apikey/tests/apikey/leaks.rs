//! Whoever finds a key has it revoked, and learns nothing by it.

use std::time::Duration;

use bartizan_apikey::{ApiKeys, LeakEndpoint, MemoryStore};
use bartizan_core::{Denial, Events, SecurityContext};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tower::ServiceExt as _;

use super::support::{NOW, builder, clock, issue, keys, verify};

/// All that a reporter sees.
type Seen = (StatusCode, HeaderMap, Bytes);

async fn report(keys: &ApiKeys, body: impl Into<Bytes>) -> Seen {
    report_from(keys, [192, 0, 2, 1], body).await
}

async fn report_from(keys: &ApiKeys, from: [u8; 4], body: impl Into<Bytes>) -> Seen {
    let mut request = Request::post("/keys/leaked")
        .body(Full::new(body.into()))
        .unwrap();
    let context = SecurityContext::of(&mut request);
    context.set_client_address(from.into()).unwrap();
    send(keys, request).await
}

async fn send(keys: &ApiKeys, request: Request<Full<Bytes>>) -> Seen {
    let endpoint = LeakEndpoint::new(keys.clone());
    let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, body)
}

/// Waits for what is done in the background.
async fn until(mut is_done: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if is_done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}

#[tokio::test]
async fn a_key_that_is_reported_is_refused_from_the_next_request_on_and_then_revoked_for_good() {
    let (keys, store) = keys(&clock());
    let (key, other) = (issue(&keys).await, issue(&keys).await);
    assert!(verify(&keys, key.text()).await.is_ok());
    let (status, ..) = report(&keys, key.text().to_owned()).await;
    assert_eq!(status, 202);
    assert!(verify(&keys, key.text()).await.is_err());
    assert!(verify(&keys, other.text()).await.is_ok());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(store.reads(), 2, "once for each key");
    let id = key.record().id;
    until(async || {
        let record = keys.inspect(id).await.unwrap().unwrap();
        let revoked = record.revoked.map(|revoked| revoked.reason);
        revoked.as_deref() == Some("it was reported as leaked")
    })
    .await;
}

#[tokio::test]
async fn the_answer_is_the_same_whatever_the_key_was() {
    let clock = clock();
    let (keys, _) = keys(&clock);
    let (others, _) = super::support::keys(&clock);
    let (good, used, revoked) = (issue(&keys).await, issue(&keys).await, issue(&keys).await);
    verify(&keys, used.text()).await.unwrap();
    keys.revoke(revoked.record().id, "left").await.unwrap();
    let grant = super::support::grant();
    let expired = keys.issue_for(grant, Duration::from_secs(1)).await.unwrap();
    clock.advance(Duration::from_secs(2));
    let unknown = issue(&others).await;
    let wrong = good.text().replace("acme_live", "acme_test");
    let mut seen = Vec::new();
    for text in [
        good.text(),
        used.text(),
        revoked.text(),
        expired.text(),
        unknown.text(),
        &wrong,
        "acme_live_x",
        "no key",
    ] {
        seen.push(report(&keys, text.to_owned()).await);
    }
    assert_eq!(seen[0].0, 202);
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn a_batch_as_secret_scanning_sends_it_ends_all_that_are_good() {
    let (keys, _) = keys(&clock());
    let (one, two) = (issue(&keys).await, issue(&keys).await);
    let body = serde_json::json!([
        { "token": one.text(), "type": "acme_key", "url": "https://example.com/a", "source": "content" },
        { "token": "acme_live_none", "type": "acme_key", "url": "", "source": "commit" },
        { "token": two.text(), "type": "acme_key", "url": "", "source": "content" },
    ]);
    let (status, ..) = report(&keys, body.to_string()).await;
    assert_eq!(status, 202);
    for key in [one, two] {
        assert!(verify(&keys, key.text()).await.is_err());
    }
}

#[tokio::test]
async fn reports_ask_within_the_budget_of_strangers_and_once_for_each_key() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let (others, _) = super::support::keys(&clock);
    let (mine, theirs) = (issue(&keys).await, issue(&others).await);
    for _ in 0..50 {
        assert_eq!(report(&keys, theirs.text().to_owned()).await.0, 202);
    }
    assert_eq!(store.reads(), 1, "it is remembered as none");
    let mut down = 0;
    for _ in 0..20 {
        let mut made_up = String::new();
        for _ in 0..100 {
            made_up.push_str(issue(&others).await.text());
            made_up.push('\n');
        }
        let (status, headers, _) = report_from(&keys, [192, 0, 2, 66], made_up).await;
        if status == 503 {
            assert!(headers.contains_key("retry-after"));
            down += 1;
        }
    }
    assert!(down > 5, "{down}");
    let asked = store.reads();
    assert!((500..1000).contains(&asked), "{asked}");
    // Who comes from elsewhere is heard.
    assert_eq!(report(&keys, mine.text().to_owned()).await.0, 202);
    assert!(verify(&keys, mine.text()).await.is_err());
}

#[tokio::test]
async fn a_store_that_is_down_is_503_and_takes_what_was_accepted_later() {
    let (keys, store) = keys(&clock());
    let (known, new) = (issue(&keys).await, issue(&keys).await);
    verify(&keys, known.text()).await.unwrap();
    store.is_down(true);
    let (status, headers, _) = report(&keys, new.text().to_owned()).await;
    assert_eq!(status, 503);
    assert!(headers.contains_key("retry-after"));
    assert_eq!(report(&keys, known.text().to_owned()).await.0, 202);
    assert!(verify(&keys, known.text()).await.is_err());
    store.is_down(false);
    let id = known.record().id;
    until(async || {
        let record = keys.inspect(id).await.unwrap().unwrap();
        record.revoked.is_some()
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_time_has_not_come_ends_too() {
    let (clock, store) = (clock(), MemoryStore::new());
    let keys = builder(store.clone(), &clock).build().unwrap();
    let key = issue(&keys).await;
    let mut early = key.record().clone();
    early.not_before = NOW + 60;
    early.version += 1;
    bartizan_apikey::KeyStore::replace(&store, early)
        .await
        .unwrap();
    assert_eq!(report(&keys, key.text().to_owned()).await.0, 202);
    let id = key.record().id;
    until(async || {
        let record = keys.inspect(id).await.unwrap().unwrap();
        record.revoked.is_some()
    })
    .await;
}

#[cfg(feature = "attenuation")]
#[tokio::test]
async fn a_child_that_is_reported_does_not_end_its_key() {
    use bartizan_apikey::{Attenuation, HeldKey};
    let (keys, _) = keys(&clock());
    let key = issue(&keys).await;
    let held = HeldKey::parse(&super::support::form(), key.text()).unwrap();
    let child = held.attenuate(Attenuation::new()).unwrap();
    assert_eq!(report(&keys, child.text().to_owned()).await.0, 202);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(verify(&keys, key.text()).await.is_ok());
    let record = keys.inspect(key.record().id).await.unwrap().unwrap();
    assert!(record.revoked.is_none());
}

/// The flaw: each time that a child was shown the store was asked past every budget, and the operator told again.
#[cfg(feature = "attenuation")]
#[tokio::test]
async fn a_child_that_is_reported_many_times_asks_and_is_told_once() {
    use bartizan_apikey::{Attenuation, HeldKey};
    let store = super::counting::Counting::new(MemoryStore::new());
    let (told, events) = heard();
    let keys = builder(store.clone(), &clock()).events(events);
    let keys = keys.build().unwrap();
    let key = issue(&keys).await;
    let held = HeldKey::parse(&super::support::form(), key.text()).unwrap();
    let child = held.attenuate(Attenuation::new()).unwrap();
    for _ in 0..20 {
        let many = format!("{} ", child.text()).repeat(100);
        assert_eq!(report(&keys, many).await.0, 202);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(store.reads(), 1);
    let told = told.lock().unwrap();
    let leaked = told.iter().filter(|(kind, _)| *kind == "child_leaked");
    let leaked: Vec<_> = leaked.collect();
    assert_eq!(leaked.len(), 1, "{leaked:?}");
    let id = key.record().id.to_string();
    assert!(leaked[0].1.contains(&id), "{leaked:?}");
    assert!(leaked[0].1.contains("192.0.2.1"), "{leaked:?}");
}

/// The flaw: it was asked about and revoked again with each report.
#[tokio::test]
async fn a_key_whose_time_has_not_come_is_revoked_once_however_often_it_is_reported() {
    let clock = clock();
    let (keys, store) = keys(&clock);
    let key = issue(&keys).await;
    let mut early = key.record().clone();
    early.not_before = NOW + 60;
    early.version += 1;
    bartizan_apikey::KeyStore::replace(&store, early)
        .await
        .unwrap();
    let many = format!("{} ", key.text()).repeat(100);
    assert_eq!(report(&keys, many).await.0, 202);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(store.reads(), 1);
    store.is_down(true);
    clock.advance(Duration::from_secs(60));
    assert!(verify(&keys, key.text()).await.is_err());
}

type Told = std::sync::Arc<std::sync::Mutex<Vec<(&'static str, String)>>>;

fn heard() -> (Told, Events) {
    let told = Told::default();
    let heard = std::sync::Arc::clone(&told);
    let events = Events::to(move |event| {
        let event = (event.kind, event.detail.to_string());
        heard.lock().unwrap().push(event);
    });
    (told, events)
}

#[tokio::test]
async fn what_is_no_report_is_refused_before_anybody_is_asked() {
    let (keys, store) = keys(&clock());
    let get = Request::get("/keys/leaked").body(Full::default()).unwrap();
    let (status, headers, _) = send(&keys, get).await;
    assert_eq!(
        (status.as_u16(), &headers["allow"]),
        (405, &"POST".parse().unwrap())
    );
    for (body, expected) in [
        ("".to_owned(), 400),
        (r#"{"keys":1}"#.to_owned(), 400),
        ("a ".repeat(101), 413),
        ("a".repeat((64 << 10) + 1), 413),
    ] {
        assert_eq!(report(&keys, body).await.0, expected);
    }
    let coded = Request::post("/").header("content-encoding", "gzip");
    let coded = coded.body(Full::from("a")).unwrap();
    assert_eq!(send(&keys, coded).await.0, 415);
    assert_eq!(store.reads(), 0);
}

#[tokio::test]
async fn no_key_is_in_what_operators_are_told() {
    let (told, events) = heard();
    let keys = builder(MemoryStore::new(), &clock()).events(events);
    let keys = keys.build().unwrap();
    let key = issue(&keys).await;
    let mut request = Request::post("/")
        .body(Full::from(key.text().to_owned()))
        .unwrap();
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    let endpoint = LeakEndpoint::new(keys.clone());
    let response = endpoint.oneshot(request).await.unwrap();
    assert!(response.extensions().get::<Denial>().is_none());
    until(async || {
        told.lock()
            .unwrap()
            .iter()
            .any(|(kind, _)| *kind == "key_revoked")
    })
    .await;
    let findings = format!("{:?}", context.trail().unwrap().findings());
    assert!(findings.contains("leak_reported"), "{findings}");
    let told = told.lock().unwrap();
    let leaked = told.iter().find(|(kind, _)| *kind == "key_leaked").unwrap();
    assert!(leaked.1.contains(&key.record().id.to_string()));
    assert!(leaked.1.contains("192.0.2.7"));
    let secret = &key.text()[28..];
    assert!(!format!("{told:?}{findings}").contains(secret));
}

//! Records that somebody else wrote, or a store lost a part of.

use bartizan_apikey::{ApiKeys, IssuedKey, KeyRecord, KeyStore, MemoryStore};
use serde_json::{Value, json};

use super::support::{builder, clock, grant, issue, keys, verify};

async fn written() -> Value {
    let (keys, _) = keys(&clock());
    let grant = grant().tenant("acme-eu").only_tools(["read_*"]).rate(60, 5);
    let key = keys.issue(grant).await.unwrap();
    let written = serde_json::to_value(key.record()).unwrap();
    let read: KeyRecord = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(read, *key.record());
    written
}

/// The flaw: a record without `revoked` read as one that is not revoked.
#[tokio::test]
async fn a_record_that_lost_a_field_is_none() {
    let record = written().await;
    let mut tried = 0;
    for part in ["", "/grant", "/grant/limits", "/grant/limits/rate"] {
        let fields = record.pointer(part).unwrap().as_object().unwrap();
        for field in fields.keys() {
            let mut less = record.clone();
            let object = less.pointer_mut(part).unwrap().as_object_mut().unwrap();
            object.remove(field);
            let read = serde_json::from_value::<KeyRecord>(less);
            assert!(read.is_err(), "without `{part}/{field}`");
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
}

#[tokio::test]
async fn a_record_with_a_field_that_nobody_knows_is_none() {
    let record = written().await;
    for part in ["", "/grant", "/grant/limits", "/grant/limits/rate"] {
        let mut more = record.clone();
        let object = more.pointer_mut(part).unwrap().as_object_mut().unwrap();
        object.insert("revokd".into(), Value::Null);
        assert!(serde_json::from_value::<KeyRecord>(more).is_err());
    }
}

/// A record that was issued, with some of it written anew by hand.
async fn by_hand(write: impl FnOnce(&mut Value)) -> (ApiKeys, IssuedKey) {
    let store = MemoryStore::new();
    // Another process has the same peppers, and a store that takes whatever it is given.
    let issuer = builder(MemoryStore::new(), &clock()).build().unwrap();
    let key = issue(&issuer).await;
    let mut record = serde_json::to_value(key.record()).unwrap();
    write(&mut record);
    let record = serde_json::from_value(record).unwrap();
    store.insert(record).await.unwrap();
    (builder(store, &clock()).build().unwrap(), key)
}

/// The flaw: only what `issue` was given was held to what a grant may be.
#[tokio::test]
async fn a_record_that_no_issue_would_have_made_is_no_good_key() {
    let (keys, key) = by_hand(|_| {}).await;
    assert_eq!(verify(&keys, key.text()).await, Ok(()));
    let many: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
    for (place, value) in [
        ("owner", json!("ci\u{1b}[2J")),
        ("owner", json!("x".repeat(100_000))),
        ("tenant", json!("a\nb")),
        ("roles", json!(many)),
        ("roles", json!([""])),
        ("scopes", json!(["a b"])),
        ("capabilities", json!(["no*es"])),
        ("networks", json!(vec!["192.0.2.0/24"; 65])),
    ] {
        let (keys, key) = by_hand(|record| record["grant"][place] = value.clone()).await;
        let refused = verify(&keys, key.text()).await.unwrap_err();
        assert_eq!(
            refused, "the key's record holds what no key is granted",
            "{place}"
        );
    }
    let wrong = json!({"per_minute": 0, "burst": 0});
    let (keys, key) = by_hand(|record| record["grant"]["limits"]["rate"] = wrong).await;
    assert!(verify(&keys, key.text()).await.is_err());
}

#[tokio::test]
async fn a_record_of_another_environment_than_the_key_says_is_no_good_key() {
    let (keys, key) = by_hand(|record| record["grant"]["environment"] = json!("test")).await;
    let refused = verify(&keys, key.text()).await;
    assert_eq!(refused.unwrap_err(), "the key is of another environment");
}

#[tokio::test]
async fn a_record_under_another_id_verifies_nothing() {
    let store = MemoryStore::new();
    let keys = builder(store.clone(), &clock()).build().unwrap();
    let (mine, theirs) = (issue(&keys).await, issue(&keys).await);
    let mut swapped = theirs.record().clone();
    swapped.hash = mine.record().hash.clone();
    swapped.version += 1;
    store.replace(swapped).await.unwrap();
    for key in [&mine, &theirs] {
        let good = verify(&keys, key.text()).await.is_ok();
        assert_eq!(good, key.record().id == mine.record().id);
    }
}

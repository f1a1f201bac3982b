//! What every store keeps; see `KeyStore`.

use bartizan_apikey::{KeyRecord, KeyStore, MemoryStore, Revoked, StoreError};

use super::support::{NOW, clock, issue, keys};

async fn record() -> KeyRecord {
    let (keys, _) = keys(&clock());
    issue(&keys).await.record().clone()
}

fn next(record: &KeyRecord) -> KeyRecord {
    let mut next = record.clone();
    next.version += 1;
    next.expires_at += 1;
    next
}

fn revoked(reason: &str) -> Revoked {
    let json = format!(r#"{{"at":{NOW},"reason":"{reason}"}}"#);
    serde_json::from_str(&json).unwrap()
}

async fn an_insert_takes_nobodys_place(store: impl KeyStore) {
    let record = record().await;
    store.insert(record.clone()).await.unwrap();
    let mut other = record.clone();
    other.expires_at += 1;
    let again = store.insert(other).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(store.get(record.id).await.unwrap(), Some(record));
    assert_eq!(store.get(self::record().await.id).await.unwrap(), None);
}

async fn of_two_changes_at_a_time_one_is_done(store: impl KeyStore) {
    let record = record().await;
    let never = store.replace(next(&record)).await;
    assert!(matches!(never, Err(StoreError::Conflict)));
    store.insert(record.clone()).await.unwrap();
    let (one, mut other) = (next(&record), next(&record));
    other.expires_at += 9;
    store.replace(one.clone()).await.unwrap();
    let late = store.replace(other).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    assert_eq!(store.get(record.id).await.unwrap(), Some(one));
}

async fn a_rotation_is_both_or_neither(store: impl KeyStore) {
    let (old, new, taken) = (record().await, record().await, record().await);
    store.insert(old.clone()).await.unwrap();
    store.insert(taken.clone()).await.unwrap();
    let onto_another = store.rotate(next(&old), taken.clone()).await;
    assert!(matches!(onto_another, Err(StoreError::Conflict)));
    assert_eq!(store.get(old.id).await.unwrap(), Some(old.clone()));
    let of_another_version = store.rotate(next(&next(&old)), new.clone()).await;
    assert!(matches!(of_another_version, Err(StoreError::Conflict)));
    assert_eq!(store.get(new.id).await.unwrap(), None);
    store.rotate(next(&old), new.clone()).await.unwrap();
    assert_eq!(store.get(old.id).await.unwrap(), Some(next(&old)));
    assert_eq!(store.get(new.id).await.unwrap(), Some(new));
}

async fn a_revocation_is_for_good_and_the_first_stays(store: impl KeyStore) {
    let record = record().await;
    assert_eq!(
        store.revoke(record.id, revoked("never was")).await.unwrap(),
        None
    );
    store.insert(record.clone()).await.unwrap();
    let first = store.revoke(record.id, revoked("first")).await.unwrap();
    let first = first.unwrap();
    assert_eq!(first.revoked, Some(revoked("first")));
    let second = store.revoke(record.id, revoked("second")).await.unwrap();
    assert_eq!(second, Some(first.clone()));
    for back in [next(&record), next(&first)] {
        let mut back = back;
        back.revoked = None;
        assert!(store.replace(back.clone()).await.is_err());
        assert!(store.rotate(back, self::record().await).await.is_err());
    }
    assert_eq!(store.get(record.id).await.unwrap(), Some(first));
}

async fn a_use_moves_forward_and_changes_nothing_else(store: impl KeyStore) {
    let record = record().await;
    store.insert(record.clone()).await.unwrap();
    let stranger = self::record().await.id;
    store
        .touch(vec![(record.id, 7), (stranger, 7)])
        .await
        .unwrap();
    store.touch(vec![(record.id, 5)]).await.unwrap();
    let mut used = record.clone();
    used.last_used = Some(7);
    assert_eq!(store.get(record.id).await.unwrap(), Some(used));
    assert_eq!(store.get(stranger).await.unwrap(), None);
    store.replace(next(&record)).await.unwrap();
    let kept = store.get(record.id).await.unwrap().unwrap();
    assert_eq!(kept.last_used, Some(7));
}

async fn what_ended_goes_in_batches_and_does_not_come_back(store: impl KeyStore) {
    let mut records = Vec::new();
    for expires_at in [NOW - 2, NOW - 1, NOW, NOW + 1] {
        let mut record = record().await;
        record.expires_at = expires_at;
        store.insert(record.clone()).await.unwrap();
        records.push(record);
    }
    let dead = record().await;
    store.insert(dead.clone()).await.unwrap();
    store.revoke(dead.id, revoked("left")).await.unwrap();
    assert_eq!(store.remove_ended(NOW, 0).await.unwrap(), 0);
    assert_eq!(store.remove_ended(NOW, 1).await.unwrap(), 1);
    assert_eq!(store.remove_ended(NOW, 9).await.unwrap(), 1);
    assert!(store.get(dead.id).await.unwrap().is_some());
    assert_eq!(store.remove_ended(NOW + 1, 9).await.unwrap(), 2);
    assert_eq!(store.remove_ended(NOW + 1, 9).await.unwrap(), 0);
    let left = store.list(None, 9).await.unwrap();
    assert_eq!(left, [records.pop().unwrap()]);
    for gone in records.iter().chain([&dead]) {
        assert_eq!(store.get(gone.id).await.unwrap(), None);
        let back = store.replace(next(gone)).await;
        assert!(matches!(back, Err(StoreError::Conflict)));
        let back = store.rotate(next(gone), record().await).await;
        assert!(matches!(back, Err(StoreError::Conflict)));
        store.touch(vec![(gone.id, NOW)]).await.unwrap();
        assert_eq!(store.revoke(gone.id, revoked("late")).await.unwrap(), None);
    }
}

macro_rules! laws {
    ($store:ident: $new:expr => $($law:ident),* $(,)?) => {
        mod $store {
            use super::*;
            $(#[tokio::test]
            async fn $law() {
                super::$law($new).await;
            })*
        }
    };
}

laws!(memory: MemoryStore::new() =>
    an_insert_takes_nobodys_place,
    of_two_changes_at_a_time_one_is_done,
    a_rotation_is_both_or_neither,
    a_revocation_is_for_good_and_the_first_stays,
    a_use_moves_forward_and_changes_nothing_else,
    what_ended_goes_in_batches_and_does_not_come_back,
);

#[tokio::test]
async fn a_full_memory_takes_no_more_and_drops_nothing() {
    let store = MemoryStore::with_capacity(1);
    let (first, second) = (record().await, record().await);
    store.insert(first.clone()).await.unwrap();
    assert!(matches!(
        store.insert(second.clone()).await,
        Err(StoreError::Full)
    ));
    let rotated = store.rotate(next(&first), second).await;
    assert!(matches!(rotated, Err(StoreError::Full)));
    assert_eq!(store.get(first.id).await.unwrap(), Some(first));
}

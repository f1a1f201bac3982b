//! What every store keeps; see `KeyStore`.

use bartizan_apikey::{KeyRecord, KeyStore, MemoryStore, Revoked, StoreError};

use super::{
    places::{InMemory, Place as _},
    races::*,
    support::{NOW, clock, issue, keys},
    whole_life::*,
};

pub(crate) async fn record() -> KeyRecord {
    let (keys, _) = keys(&clock());
    issue(&keys).await.record().clone()
}

pub(crate) fn next(record: &KeyRecord) -> KeyRecord {
    let mut next = record.clone();
    next.version += 1;
    next.expires_at += 1;
    next.verifying_key = None;
    next
}

pub(crate) fn revoked(reason: &str) -> Revoked {
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

async fn a_list_is_in_the_order_of_ids_and_no_longer_than_asked_for(store: impl KeyStore) {
    let mut all = Vec::new();
    for _ in 0..5 {
        let record = record().await;
        store.insert(record.clone()).await.unwrap();
        all.push(record);
    }
    all.sort_by_key(|record| record.id);
    let pages = [
        (None, 2, 0..2),
        (Some(1), 2, 2..4),
        (Some(3), 2, 4..5),
        (Some(4), 2, 0..0),
    ];
    let whole = [(None, 0, 0..0), (None, usize::MAX, 0..5)];
    for (after, at_most, expected) in pages.into_iter().chain(whole) {
        let after = after.map(|place: usize| all[place].id);
        let page = store.list(after, at_most).await.unwrap();
        assert_eq!(page, all[expected]);
    }
}

async fn many_uses_are_written_at_once(store: impl KeyStore) {
    let (first, last) = (record().await, record().await);
    store.insert(first.clone()).await.unwrap();
    store.insert(last.clone()).await.unwrap();
    let mut uses = vec![(first.id, 7)];
    for n in 0..2_500_u64 {
        let id = format!("{n:016o}").replace('0', "a").replace('1', "b");
        uses.push((id.parse().unwrap(), n));
    }
    uses.push((last.id, 8));
    store.touch(uses).await.unwrap();
    for (id, at) in [(first.id, 7), (last.id, 8)] {
        let kept = store.get(id).await.unwrap().unwrap();
        assert_eq!(kept.last_used, Some(at));
    }
}

async fn texts_are_kept_as_they_are(store: impl KeyStore) {
    let mut odd = record().await;
    let text = "'); DROP TABLE api_keys; -- \"\\ \u{1f511} \u{202e}%_?1 $1";
    odd.grant.owner = text.to_owned();
    odd.grant.roles = vec![text.to_owned(); 64];
    odd.grant.tenant = Some("x".repeat(200));
    store.insert(odd.clone()).await.unwrap();
    let mut why = revoked("left");
    why.reason = text.to_owned();
    store.revoke(odd.id, why.clone()).await.unwrap();
    let kept = store.get(odd.id).await.unwrap().unwrap();
    assert_eq!((kept.grant, kept.revoked), (odd.grant, Some(why)));
}

async fn a_honey_key_stays_one(store: impl KeyStore) {
    let (keys, _) = keys(&clock());
    let key = keys.issue_honey("old backup", "live").await.unwrap();
    let record = key.record().clone();
    assert!(record.is_honey());
    store.insert(record.clone()).await.unwrap();
    assert_eq!(store.get(record.id).await.unwrap(), Some(record.clone()));
    let listed = store.list(None, 1).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&record));
    store.touch(vec![(record.id, 7)]).await.unwrap();
    store.replace(next(&record)).await.unwrap();
    let kept = store.get(record.id).await.unwrap().unwrap();
    assert_eq!((kept.is_honey(), kept.hash), (true, record.hash.clone()));
    let revoked = store.revoke(record.id, revoked("done")).await.unwrap();
    assert!(revoked.unwrap().is_honey());
}

/// One test for each law; each has a place of its own, or is skipped where there can be none.
macro_rules! laws {
    ($kind:ident: $place:expr) => {
        laws!($kind: $place =>
            of stores
            an_insert_takes_nobodys_place,
            of_two_changes_at_a_time_one_is_done,
            a_rotation_is_both_or_neither,
            a_revocation_is_for_good_and_the_first_stays,
            a_use_moves_forward_and_changes_nothing_else,
            what_ended_goes_in_batches_and_does_not_come_back,
            a_list_is_in_the_order_of_ids_and_no_longer_than_asked_for,
            many_uses_are_written_at_once,
            texts_are_kept_as_they_are,
            a_honey_key_stays_one;
            of places
            of_two_who_insert_one_id_one_does,
            of_two_who_rotate_a_key_one_does,
            a_revocation_holds_whatever_happens_at_the_same_time,
            what_was_done_is_there_after_it_was_closed,
            a_key_lives_and_what_became_of_it_outlives_restarts
        );
    };
    ($kind:ident: $place:expr => of stores $($law:ident),*; of places $($other:ident),*) => {
        mod $kind {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                if let Some(place) = $place.await {
                    super::$law(place.open().await).await;
                }
            })*
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $other() {
                if let Some(place) = $place.await {
                    super::$other(&place).await;
                }
            })*
        }
    };
}

laws!(memory: InMemory::new());

#[cfg(all(unix, feature = "file"))]
laws!(file: super::super::places::InText::new());

#[cfg(feature = "sqlite")]
laws!(sqlite: super::super::places::InFile::new());

#[cfg(feature = "postgres")]
laws!(postgres: super::super::places::InDatabase::new());

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

//! What the store in a file has besides the laws.

use std::{
    fs::{Permissions, metadata, set_permissions},
    os::unix::fs::PermissionsExt as _,
    thread,
};

use bartizan_apikey::{KeyStore as _, OpenError, SqliteStore, StoreError};
use rusqlite::Connection;

use super::{
    laws::{next, record, revoked},
    places::{InFile, Place as _},
};

async fn place() -> InFile {
    InFile::new().await.unwrap()
}

fn change(place: &InFile, sql: &str) {
    let connection = Connection::open(place.path()).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn refusal(place: &InFile) -> OpenError {
    SqliteStore::open(place.path()).unwrap_err()
}

#[tokio::test]
async fn nobody_else_on_the_machine_can_read_what_is_kept() {
    let place = place().await;
    let store = place.open().await;
    store.insert(record().await).await.unwrap();
    for name in ["keys.db", "keys.db-wal", "keys.db-shm"] {
        let mode = metadata(place.folder().join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn what_others_can_read_or_put_there_is_not_opened() {
    let place = place().await;
    drop(place.open().await);
    let set = |path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for mode in [0o640, 0o604, 0o660] {
        set(place.path(), mode);
        let error = refusal(&place).to_string();
        assert!(error.contains(&format!("is {mode:o}")), "{error}");
    }
    set(place.path(), 0o600);
    for mode in [0o777, 0o1777] {
        set(place.folder().to_owned(), mode);
        assert!(matches!(refusal(&place), OpenError::Exposed(_)));
    }
    set(place.folder().to_owned(), 0o755);
    assert!(SqliteStore::open(place.path()).is_ok());
}

#[tokio::test]
async fn a_link_is_not_followed_out_of_the_folder() {
    let (place, elsewhere) = (place().await, place().await);
    drop(elsewhere.open().await);
    std::os::unix::fs::symlink(elsewhere.path(), place.path()).unwrap();
    assert!(SqliteStore::open(place.path()).is_err());
}

#[tokio::test]
async fn somebody_elses_database_and_a_later_one_are_left_alone() {
    let theirs = place().await;
    // Made by the store first, for its mode.
    drop(theirs.open().await);
    change(&theirs, "PRAGMA application_id = 7");
    assert!(matches!(refusal(&theirs), OpenError::Foreign));
    change(&theirs, "PRAGMA user_version = 0");
    assert!(matches!(refusal(&theirs), OpenError::Foreign));
    let later = place().await;
    drop(later.open().await);
    change(&later, "PRAGMA user_version = 99");
    assert!(matches!(refusal(&later), OpenError::Newer(99, 1)));
}

#[tokio::test]
async fn many_who_open_a_new_file_at_once_all_do() {
    for _ in 0..5 {
        let place = place().await;
        let openers: Vec<_> = (0..6)
            .map(|_| {
                let path = place.path();
                thread::spawn(move || SqliteStore::open(path))
            })
            .collect();
        for opener in openers {
            opener.join().unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_an_error_for_itself_alone_and_can_be_revoked() {
    let place = place().await;
    let store = place.open().await;
    let mut all = [record().await, record().await, record().await];
    all.sort_by_key(|record| record.id);
    for record in &all {
        store.insert(record.clone()).await.unwrap();
    }
    for spoil in [
        "key_grant = '{}'",
        "hash = 'md5$x'",
        "key_grant = cast(x'ff' AS TEXT)",
        "expires_at = -1",
        "successor = x'00'",
    ] {
        let [first, spoilt, last] = &all;
        let sql = format!(
            "UPDATE api_keys SET {spoil} WHERE id = (SELECT id FROM api_keys ORDER BY id LIMIT 1 OFFSET 1)"
        );
        change(&place, &sql);
        let is_named =
            |error: &StoreError| matches!(error, StoreError::Unreadable(id, _) if *id == spoilt.id);
        assert!(is_named(&store.get(spoilt.id).await.unwrap_err()));
        let page = store.list(None, 9).await.unwrap();
        assert_eq!(page, std::slice::from_ref(first));
        assert!(is_named(&store.list(Some(first.id), 9).await.unwrap_err()));
        let rest = store.list(Some(spoilt.id), 9).await.unwrap();
        assert_eq!(rest, std::slice::from_ref(last));
    }
    let id = all[1].id;
    let answer = store.revoke(id, revoked("left")).await;
    assert!(matches!(answer, Err(StoreError::Unreadable(..))));
    let again = store.replace(next(&all[1])).await;
    assert!(matches!(again, Err(StoreError::Revoked)), "it took hold");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_names_its_key() {
    let place = place().await;
    let store = place.open().await;
    let mut endless = record().await;
    endless.expires_at = u64::MAX;
    let refused = store.insert(endless.clone()).await;
    assert!(matches!(refused, Err(StoreError::Unreadable(id, _)) if id == endless.id));
    assert_eq!(store.get(endless.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_reader_waits_for_no_writer_and_a_writer_not_for_ever() {
    let place = place().await;
    let store = place.open().await;
    let record = record().await;
    store.insert(record.clone()).await.unwrap();
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = std::time::Instant::now();
    assert!(store.get(record.id).await.unwrap().is_some());
    assert!(began.elapsed().as_secs() < 2);
    let stuck = store.revoke(record.id, revoked("left")).await;
    assert!(matches!(stuck, Err(StoreError::Down(_))), "{stuck:?}");
    assert!(began.elapsed().as_secs() < 9);
    other.execute_batch("COMMIT").unwrap();
    let done = store.revoke(record.id, revoked("left")).await.unwrap();
    assert!(done.unwrap().revoked.is_some());
}

/// The flaw: whoever had it open went on with the one that was gone, and did not see what was revoked in its successor.
#[tokio::test]
async fn a_file_that_another_one_took_the_place_of_is_not_asked_any_more() {
    let (place, backup) = (place().await, place().await);
    let store = place.open().await;
    let record = record().await;
    store.insert(record.clone()).await.unwrap();
    let restored = backup.open().await;
    restored.insert(record.clone()).await.unwrap();
    drop(restored);
    std::fs::rename(backup.path(), place.path()).unwrap();
    let asked = store.get(record.id).await;
    assert!(matches!(asked, Err(StoreError::Down(_))), "{asked:?}");
    let lost = store.revoke(record.id, revoked("left")).await;
    assert!(matches!(lost, Err(StoreError::Down(_))), "{lost:?}");
    std::fs::remove_file(place.path()).unwrap();
    assert!(store.get(record.id).await.is_err());
}

#[test]
fn keys_are_read_on_runtimes_of_one_thread_and_of_several_and_in_a_local_set() {
    use tokio::{runtime::Builder, task::LocalSet};
    async fn reads() {
        let place = place().await;
        let store = place.open().await;
        let record = record().await;
        store.insert(record.clone()).await.unwrap();
        assert_eq!(store.get(record.id).await.unwrap(), Some(record));
    }
    let one = Builder::new_current_thread().enable_all().build().unwrap();
    let several = Builder::new_multi_thread().enable_all().build().unwrap();
    for runtime in [one, several] {
        runtime.block_on(reads());
        LocalSet::new().block_on(&runtime, reads());
    }
}

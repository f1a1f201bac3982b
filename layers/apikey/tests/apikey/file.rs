//! Records in a file: what other hands do to it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_apikey::{FileStore, KeyError, KeyStore, StoreError};
use bartizan_core::Events;

use super::{
    laws::revoked,
    places::{InText, Place as _},
    support::{builder, clock, issue, verify},
};

fn another(store: &FileStore) -> FileStore {
    FileStore::open(store.path(), Events::default()).unwrap()
}

/// A store that tells what it reports.
fn heard(path: &Path) -> (FileStore, impl Fn() -> Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let events = Events::to(move |event| told.lock().unwrap().push(event.kind.to_owned()));
    let store = FileStore::open(path, events).unwrap();
    (store, move || std::mem::take(&mut *heard.lock().unwrap()))
}

/// As careful people do it.
fn rename_over(path: &Path, text: &str) {
    let beside = path.with_extension("edited");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, path).unwrap();
}

#[tokio::test]
async fn what_another_process_changed_is_seen_by_the_next_question() {
    let place = InText::of_none();
    let (clock, here) = (clock(), place.open().await);
    let there = another(&here);
    let [mine, theirs] = [&here, &there].map(|s| builder(s.clone(), &clock).build().unwrap());
    let key = issue(&mine).await;
    assert!(verify(&theirs, key.text()).await.is_ok());
    mine.revoke(key.record().id, "left").await.unwrap();
    let seen = there.get(key.record().id).await.unwrap().unwrap();
    assert_eq!(seen.revoked.unwrap().reason, "left");
    // What the verifier remembers it remembers as long as with any store.
    clock.advance(Duration::from_secs(30));
    assert!(verify(&theirs, key.text()).await.is_err());
}

#[tokio::test]
async fn changes_of_many_at_a_time_are_all_kept() {
    let place = InText::of_none();
    let store = place.open().await;
    let writers = (0..8).map(|_| {
        let store = another(&store);
        tokio::spawn(async move {
            let keys = builder(store, &clock()).build().unwrap();
            for _ in 0..10 {
                issue(&keys).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(store.list(None, 100).await.unwrap().len(), 80);
}

#[tokio::test]
async fn a_broken_file_leaves_the_keys_before_takes_no_change_and_is_told_once() {
    let place = InText::of_none();
    let path = place.path();
    let (store, heard) = heard(&path);
    let keys = builder(store.clone(), &clock()).build().unwrap();
    let key = issue(&keys).await;
    let good = fs::read_to_string(&path).unwrap();
    let id = key.record().id;
    for broken in ["", &good[..good.len() / 2], r#"{"version":2,"keys":[]}"#] {
        rename_over(&path, broken);
        for _ in 0..3 {
            let kept = store.get(id).await.unwrap();
            assert_eq!(kept.as_ref(), Some(key.record()));
        }
        assert_eq!(heard(), ["key_file_refused"], "{broken}");
        let refused = keys.revoke(id, "left").await;
        let Err(KeyError::Store(StoreError::Down(error))) = refused else {
            panic!("{refused:?}");
        };
        assert!(error.to_string().contains(".json` "), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
    }
    fs::remove_file(&path).unwrap();
    assert!(store.get(id).await.unwrap().is_some());
    assert_eq!(heard(), ["key_file_refused"]);
    rename_over(&path, &good);
    assert!(store.get(id).await.unwrap().is_some());
    assert_eq!(heard(), ["key_file_back"]);
    keys.revoke(id, "left").await.unwrap();
}

#[tokio::test]
async fn a_record_that_can_t_be_read_is_its_keys_trouble_alone() {
    let place = InText::of_none();
    let path = place.path();
    let (store, heard) = heard(&path);
    let keys = builder(store.clone(), &clock()).build().unwrap();
    let mut issued = Vec::new();
    for _ in 0..3 {
        issued.push(issue(&keys).await);
    }
    issued.sort_by_key(|key| key.record().id);
    let [first, lost, last] = &issued[..] else {
        unreachable!()
    };
    let id = lost.record().id;
    let text = fs::read_to_string(&path).unwrap();
    let before = format!(r#"{{"id":"{id}","#);
    rename_over(
        &path,
        &text.replace(&before, &format!(r#"{before}"later":1,"#)),
    );

    let is_unreadable = |error| matches!(error, StoreError::Unreadable(of, _) if of == id);
    assert!(is_unreadable(store.get(id).await.unwrap_err()));
    assert_eq!(heard(), ["key_file_unreadable"]);
    let page = store.list(None, 9).await.unwrap();
    assert_eq!(page, [first.record().clone()]);
    assert!(is_unreadable(
        store.list(Some(first.record().id), 9).await.unwrap_err()
    ));
    let page = store.list(Some(id), 9).await.unwrap();
    assert_eq!(page, [last.record().clone()]);
    assert!(verify(&keys, first.text()).await.is_ok());
    let again = store.insert(lost.record().clone()).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    // Its revocation is kept for whoever can read the rest of it.
    let failed = keys.revoke(id, "left").await;
    assert!(matches!(
        failed,
        Err(KeyError::Store(StoreError::Unreadable(..)))
    ));
    keys.revoke(first.record().id, "left").await.unwrap();
    assert_eq!(heard(), Vec::<String>::new());
    let text = fs::read_to_string(&path).unwrap();
    rename_over(&path, &text.replace(r#""later":1,"#, ""));
    let back = store.get(id).await.unwrap().unwrap();
    assert_eq!(
        (back.version, back.revoked.unwrap().reason),
        (2, "left".to_owned())
    );
}

#[tokio::test]
async fn a_file_that_is_written_in_place_is_taken_when_it_is_whole() {
    let place = InText::of_none();
    let store = place.open().await;
    let elsewhere = InText::of_none();
    let other = elsewhere.open().await;
    let keys = builder(other.clone(), &clock()).build().unwrap();
    let key = issue(&keys).await;
    let text = fs::read_to_string(other.path()).unwrap();
    fs::write(store.path(), &text[..text.len() - 9]).unwrap();
    assert_eq!(store.list(None, 9).await.unwrap(), []);
    fs::write(store.path(), &text).unwrap();
    assert_eq!(store.list(None, 9).await.unwrap(), [key.record().clone()]);
}

/// The system's times may be the same for both.
#[tokio::test]
async fn a_change_that_neither_size_nor_time_shows_is_seen_after_two_seconds() {
    let place = InText::of_none();
    let store = place.open().await;
    let keys = builder(store.clone(), &clock()).build().unwrap();
    let id = issue(&keys).await.record().id;
    let roles = async || store.get(id).await.unwrap().unwrap().grant.roles;
    let text = fs::read_to_string(store.path()).unwrap();
    fs::write(store.path(), text.replace("developer", "architect")).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(5);
    while roles().await != ["architect"] {
        assert!(std::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_file_that_others_may_read_or_write_is_refused_also_while_it_is_open() {
    let place = InText::of_none();
    let path = place.path();
    let mode = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602] {
        mode(&*path, open);
        let refused = FileStore::open(&path, Events::default()).unwrap_err();
        let named = format!("mode {open:o}");
        assert!(refused.to_string().contains(&named), "{refused}");
    }
    mode(&path, 0o600);
    for open in [0o777, 0o1777] {
        mode(place.folder(), open);
        let refused = FileStore::open(&path, Events::default()).unwrap_err();
        assert!(refused.to_string().contains("folder"), "{refused}");
    }
    mode(place.folder(), 0o700);
    let (store, heard) = heard(&path);
    for open in [0o644, 0o602] {
        mode(&path, open);
        store.list(None, 1).await.unwrap();
        assert_eq!(heard(), ["key_file_refused"]);
    }
    mode(&path, 0o600);
    store.list(None, 1).await.unwrap();
    assert_eq!(heard(), ["key_file_back"]);
}

#[test]
fn what_is_no_file_of_keys_does_not_open_and_is_named() {
    let place = InText::of_none();
    let away = place.folder().join("away.json");
    let text = place.path();
    fs::write(&text, "keys").unwrap();
    for (path, problem) in [
        (&*away, "No such file"),
        (&*text, "holds no keys"),
        (Path::new("/dev/zero"), "no regular file"),
        (place.folder(), "no regular file"),
    ] {
        let error = FileStore::open(path, Events::default()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(problem), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
    let there = FileStore::create(&text, Events::default()).unwrap_err();
    assert!(there.to_string().contains("cannot be made"), "{there}");
}

#[tokio::test]
async fn no_secret_and_no_key_is_in_the_file() {
    let place = InText::of_none();
    let store = place.open().await;
    let keys = builder(store.clone(), &clock()).build().unwrap();
    let key = issue(&keys).await;
    let text = fs::read_to_string(store.path()).unwrap();
    let secret = key.text().rsplit('_').next().unwrap();
    assert!(text.contains(&key.record().id.to_string()));
    for part in [secret, &secret[..52], &secret[..16]] {
        assert!(!text.contains(part));
    }
}

/// The flaw: only the folder that the link leads to was looked at.
#[tokio::test]
async fn a_link_that_anybody_could_replace_is_not_followed() {
    let (place, beside) = (InText::of_none(), InText::of_none());
    let link = beside.folder().join("link.json");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    let open = || FileStore::open(&link, Events::default());
    let set = |mode| fs::set_permissions(beside.folder(), fs::Permissions::from_mode(mode));
    open().unwrap();
    set(0o777).unwrap();
    let refused = open().unwrap_err().to_string();
    assert!(refused.contains("everybody"), "{refused}");
    // Here it is only the folder's owner who can.
    set(0o1777).unwrap();
    open().unwrap();
    set(0o755).unwrap();
    open().unwrap();
}

/// The flaw: what reads as JSON by half was not revoked, and nobody was told.
#[tokio::test]
async fn what_can_t_be_edited_is_revoked_all_the_same() {
    for strange in [r#""x":"\ud800""#, r#""x":1e999"#] {
        let place = InText::of_none();
        let store = place.open().await;
        let keys = builder(store.clone(), &clock()).build().unwrap();
        let key = issue(&keys).await;
        let id = key.record().id;
        let text = fs::read_to_string(place.path()).unwrap();
        let text = text.replace("\"hash\":", &format!("{strange},\"hash\":"));
        rename_over(&place.path(), &text);
        let revoked = keys.revoke(id, "left").await;
        assert!(
            matches!(revoked, Err(KeyError::Store(StoreError::Unreadable(..)))),
            "{revoked:?}"
        );
        // Whoever puts it right does not bring it back.
        let text = fs::read_to_string(place.path()).unwrap();
        let put_right = text.replace(&format!("{strange},"), "");
        rename_over(&place.path(), &put_right);
        assert!(text.contains(r#""reason":"left""#), "{text}");
        let is_revoked = match store.get(id).await {
            Ok(record) => record.unwrap().revoked.is_some(),
            Err(error) => matches!(error, StoreError::Unreadable(..)),
        };
        assert!(is_revoked, "{text}");
    }
}

/// The flaw: each change waited for the lock on a thread of its own, until there was none left for whoever reads.
#[test]
fn who_reads_waits_for_none_of_those_who_write() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build();
    runtime.unwrap().block_on(async {
        let place = InText::of_none();
        let store = place.open().await;
        let keys = builder(store.clone(), &clock()).build().unwrap();
        let (known, dead) = (issue(&keys).await, issue(&keys).await.record().id);
        let held = fs::File::open(place.path()).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.revoke(dead, revoked("left")).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let id = known.record().id;
        let read = tokio::time::timeout(Duration::from_secs(2), store.get(id)).await;
        assert!(read.unwrap().unwrap().is_some());
        drop(held);
        for writer in writers {
            assert!(writer.await.unwrap().unwrap().is_some());
        }
    });
}

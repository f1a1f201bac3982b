//! A process that is killed while it rotates and revokes. It is this test, started again.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use bartizan_apikey::{ApiKeys, KeyId, KeyStore};
use bartizan_core::SystemClock;

use super::{
    places::Place,
    support::{form, grant, peppers, verify},
};

/// Where the victim keeps its keys; the test is nothing without it.
const STORE: &str = "BARTIZAN_TEST_CRASH_STORE";

const AT_MOST: Duration = Duration::from_secs(8);
const ROUNDS: usize = 40;

fn keys(store: impl KeyStore) -> ApiKeys {
    let keys = ApiKeys::builder(form(), peppers(), store);
    keys.clock(SystemClock::new()).build().unwrap()
}

/// What the victim said before it died.
#[derive(Debug, Default)]
struct Told {
    /// Both texts, and whether the old key is good besides.
    rotated: Vec<(KeyId, String, KeyId, String, bool)>,
    /// One that may have happened.
    rotating: Option<(KeyId, String, bool)>,
    revoked: Vec<(KeyId, String)>,
    revoking: Option<KeyId>,
}

/// Rotates keys, with an overlap and without, and revokes some; says what it is about to do, and what is done.
#[test]
fn a_victim() {
    let Ok(store) = std::env::var(STORE) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let keys = open(&store).await;
        for n in 0_u64.. {
            let old = keys.issue(grant()).await.unwrap();
            let (id, overlap) = (old.record().id, n % 2 * 3600);
            say(&format!("rotating {id} {} {overlap}", old.text()));
            let overlap = Duration::from_secs(overlap);
            let new = keys.rotate(id, overlap).await.unwrap().unwrap();
            say(&format!("rotated {} {}", new.record().id, new.text()));
            if n % 3 == 0 {
                let id = new.record().id;
                say(&format!("revoking {id}"));
                keys.revoke(id, "left").await.unwrap().unwrap();
                say(&format!("revoked {id}"));
            }
        }
    });
}

async fn open(store: &str) -> ApiKeys {
    match store.split_once(' ').unwrap() {
        #[cfg(feature = "sqlite")]
        ("sqlite", path) => keys(bartizan_apikey::SqliteStore::open(path).unwrap()),
        #[cfg(feature = "postgres")]
        ("postgres", at) => {
            let (schema, url) = at.split_once(' ').unwrap();
            let store = bartizan_apikey::PostgresStore::builder(url).schema(schema);
            keys(store.open().await.unwrap())
        }
        #[cfg(feature = "file")]
        ("file", path) => {
            let events = bartizan_core::Events::default();
            keys(bartizan_apikey::FileStore::open(path, events).unwrap())
        }
        _ => panic!("{store}"),
    }
}

/// One write, so that a line is there or is not.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// Starts the victim, and kills it so long after it has begun with a rotation.
fn killed_after(store: &str, pause: Duration) -> Told {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashes::a_victim", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let (begun, at_work) = mpsc::channel();
    let listener = thread::spawn(move || {
        let lines = lines.map_while(Result::ok);
        heard(lines.inspect(|line| {
            if line.starts_with("rotating") {
                let _ = begun.send(());
            }
        }))
    });
    // However long a busy machine takes for that.
    let at_work = at_work.recv_timeout(Duration::from_secs(30));
    thread::sleep(pause);
    victim.kill().unwrap();
    victim.wait().unwrap();
    at_work.unwrap();
    listener.join().unwrap()
}

fn heard(lines: impl Iterator<Item = String>) -> Told {
    let mut told = Told::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["rotating", id, text, overlap] => {
                told.rotating = Some((id.parse().unwrap(), text.to_owned(), overlap != "0"));
            }
            ["rotated", id, text] => {
                let (old, old_text, overlaps) = told.rotating.take().unwrap();
                let (id, text) = (id.parse().unwrap(), text.to_owned());
                told.rotated.push((old, old_text, id, text, overlaps));
            }
            ["revoking", id] => told.revoking = Some(id.parse().unwrap()),
            ["revoked", id] => {
                let id = id.parse().unwrap();
                told.revoking = None;
                let (.., text, _) = told
                    .rotated
                    .iter()
                    .find(|(_, _, new, ..)| *new == id)
                    .unwrap();
                told.revoked.push((id, text.clone()));
            }
            // The test harness says something too.
            _ => {}
        }
    }
    told
}

/// What must be true of it afterwards, in another process.
async fn check(keys: &ApiKeys, told: &Told) {
    for (id, text) in &told.revoked {
        let record = keys.inspect(*id).await.unwrap().unwrap();
        assert!(
            record.revoked.is_some(),
            "a revoked key is alive: {record:?}"
        );
        assert!(verify(keys, text).await.is_err());
    }
    for (old, old_text, new, text, overlaps) in &told.rotated {
        let record = keys.inspect(*old).await.unwrap().unwrap();
        assert_eq!(record.successor, Some(*new));
        assert_eq!(verify(keys, old_text).await.is_ok(), *overlaps);
        let is_revoked = told.revoked.iter().any(|(id, _)| id == new);
        if told.revoking != Some(*new) {
            assert_eq!(verify(keys, text).await.is_ok(), !is_revoked);
        }
    }
    if let Some((old, text, overlaps)) = &told.rotating {
        let record = keys.inspect(*old).await.unwrap().unwrap();
        let is_good = verify(keys, text).await.is_ok();
        match record.successor {
            None => assert!(is_good, "both are dead: {record:?}"),
            Some(new) => {
                assert_eq!(is_good, *overlaps);
                let new = keys.inspect(new).await.unwrap().unwrap();
                assert_eq!(new.predecessor, Some(*old));
                let (standing, now) = (bartizan_apikey::Standing::Good, new.not_before);
                assert_eq!(new.standing(now), standing);
            }
        }
    }
}

/// Many times, at moments that are spread over the victim's life.
fn try_killing(store: &str) {
    let began = Instant::now();
    let (mut rounds, mut rotations) = (0, 0);
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let mut halfway = 0;
    while rounds < ROUNDS && began.elapsed() < AT_MOST {
        let pause = Duration::from_micros(rounds as u64 * 7_919 % 60_000);
        let told = killed_after(store, pause);
        runtime.block_on(async { check(&open(store).await, &told).await });
        rounds += 1;
        rotations += told.rotated.len();
        halfway += usize::from(told.rotating.is_some() || told.revoking.is_some());
    }
    // It was at work, and was interrupted in it.
    assert!(
        rotations > 0 && halfway > 0,
        "{rounds} {rotations} {halfway}"
    );
}

/// Made by this process.
fn made<P: Place>(place: impl Future<Output = Option<P>>) -> Option<P> {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let place = runtime.block_on(place)?;
    drop(runtime.block_on(place.open()));
    Some(place)
}

#[cfg(feature = "sqlite")]
#[test]
fn a_process_that_is_killed_while_it_rotates_leaves_a_key_alive_and_no_revoked_one_in_a_file() {
    let place = made(super::places::InFile::new()).unwrap();
    try_killing(&format!("sqlite {}", place.path().display()));
}

#[cfg(feature = "file")]
#[test]
fn a_process_that_is_killed_while_it_rotates_leaves_a_file_of_json_whole() {
    let place = made(super::places::InText::new()).unwrap();
    try_killing(&format!("file {}", place.path().display()));
    // What it was killed over lies beside it, is nobody's key, and goes with time.
    let beside = std::fs::read_dir(place.folder()).unwrap();
    let names = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names {
        let is_ours = name == "keys.json" || name.starts_with(".keys.json.");
        assert!(is_ours, "{name}");
    }
}

#[cfg(feature = "postgres")]
#[test]
fn a_process_that_is_killed_while_it_rotates_leaves_a_key_alive_and_no_revoked_one_in_a_database() {
    if let Some(place) = made(super::places::InDatabase::new()) {
        try_killing(&format!("postgres {} {}", place.schema(), place.url()));
    }
}

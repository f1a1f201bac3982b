//! What a key costs that nobody remembers: its form, a read of the store, a hash, a principal, and the threads in
//! between. With 1,000 and 1,000,000 keys held.
//!
//! ```sh
//! cargo bench -p bartizan-apikey --bench stores --all-features
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints what it does, and is no API"
)]

use std::{
    fs::{DirBuilder, remove_dir_all},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_apikey::{
    ApiKeyConfig, ApiKeys, KeyForm, KeyGrant, KeyId, KeyStore, MemoryStore, Peppers, PostgresStore,
    SqliteStore,
};
use bartizan_core::Secret;
use bartizan_kit::PostgresServer;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

/// Keys that are asked for in turn.
const ASKED: usize = 1_000;
const MANY: usize = 1_000_000;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("bartizan-bench-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = remove_dir_all(&self.0);
    }
}

/// Remembers next to nothing, and asks as often as it likes.
fn keys(store: impl KeyStore) -> ApiKeys {
    let mut config = ApiKeyConfig::default();
    config.key_capacity = 1;
    config.new_keys_per_minute = 1_000_000;
    let form = KeyForm::new("acme", ["live"]).unwrap();
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
    let keys = ApiKeys::builder(form, peppers, store).config(config);
    keys.build().unwrap()
}

async fn issue(keys: &ApiKeys) -> Arc<[String]> {
    let mut texts = Vec::new();
    for _ in 0..ASKED {
        let grant = KeyGrant::service("ci", "live").roles(["developer"]);
        texts.push(keys.issue(grant).await.unwrap().text().to_owned());
    }
    texts.into()
}

/// One key after the other, in a task as that of a connection.
fn case(c: &mut Criterion, runtime: &Runtime, name: &str, keys: &ApiKeys, texts: &Arc<[String]>) {
    c.bench_function(name, |b| {
        b.iter_custom(|times| {
            let (keys, texts) = (keys.clone(), Arc::clone(texts));
            let asked = runtime.spawn(ask(keys, texts, times));
            runtime.block_on(asked).unwrap()
        });
    });
}

async fn ask(keys: ApiKeys, texts: Arc<[String]>, times: u64) -> Duration {
    let verifier = keys.verifier();
    let began = Instant::now();
    for text in texts.iter().cycle().take(times as usize) {
        verifier.verify(text, None).await.unwrap();
    }
    began.elapsed()
}

/// Others, with the first one's grant: in one transaction.
fn fill_file(file: &Path) {
    let began = Instant::now();
    let connection = rusqlite::Connection::open(file).unwrap();
    let more = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         INSERT INTO api_keys SELECT randomblob(10), k.hash, k.version, k.key_grant, k.created_at, k.not_before, \
         k.expires_at, k.revoked_at, k.revoked_reason, k.successor, k.predecessor, k.last_used, k.verifying_key \
         FROM n, (SELECT * FROM api_keys LIMIT 1) k";
    let added = connection.execute(more, [(MANY - ASKED) as i64]).unwrap();
    println!("{added} keys more in {:?}", began.elapsed());
}

async fn fill_memory(store: &MemoryStore) {
    let page = store.list(None, 1).await.unwrap();
    let record = page.first().unwrap();
    for n in 0..MANY - ASKED {
        let mut more = record.clone();
        // Sixteen letters of base32 for sixteen digits.
        let id = format!("{n:016o}").replace('0', "y").replace('1', "z");
        more.id = id.parse::<KeyId>().unwrap();
        store.insert(more).await.unwrap();
    }
}

fn cold(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
    // Where benches are only tried, they are not to take minutes.
    let has_time = std::env::args().any(|arg| arg == "--bench");

    let store = MemoryStore::with_capacity(MANY);
    let memory = keys(store.clone());
    let texts = runtime.block_on(issue(&memory));
    case(c, &runtime, "memory, 1,000 keys", &memory, &texts);
    if has_time {
        runtime.block_on(fill_memory(&store));
        case(c, &runtime, "memory, 1,000,000 keys", &memory, &texts);
    }

    let folder = Folder::new();
    let file = folder.0.join("keys.db");
    let sqlite = keys(SqliteStore::open(&file).unwrap());
    let texts = runtime.block_on(issue(&sqlite));
    case(c, &runtime, "sqlite, 1,000 keys", &sqlite, &texts);
    if has_time {
        fill_file(&file);
        case(c, &runtime, "sqlite, 1,000,000 keys", &sqlite, &texts);
    }

    if let Some(server) = PostgresServer::start() {
        let store = PostgresStore::builder(&server.url()).open();
        let postgres = keys(runtime.block_on(store).unwrap());
        let texts = runtime.block_on(issue(&postgres));
        case(c, &runtime, "postgres, 1,000 keys", &postgres, &texts);
        drop((postgres, runtime));
    }
}

criterion_group!(benches, cold);
criterion_main!(benches);

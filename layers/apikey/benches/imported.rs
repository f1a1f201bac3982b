//! What keys of another system cost: one that is remembered, one that is read anew after its hash was upgraded, and
//! one whose slow hash is run; beside a key that was made here.
//!
//! ```sh
//! cargo bench -p bartizan-apikey --bench imported --all-features
//! ```

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, and is no API"
)]

use std::hint::black_box;

use bartizan_apikey::{
    ApiKeyConfig, ApiKeys, ImportedForm, KeyForm, KeyGrant, KeyId, KeyStore, MemoryStore, Peppers,
    PublicPart, SecretHash, Upgrade,
};
use bartizan_core::Secret;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

/// `hunter42`, under the parameters of the default configuration.
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$MTIzNDU2Nzg5MDEyMzQ1Ng$UovfUJmUIDTIP/OamVzlL1EwG2xdp1ShCKm+ktA7ETc";
const IMPORTED: &str = "old_7f3a_hunter42";

/// A process that has seen no key yet.
fn process(store: &MemoryStore, upgrade: Upgrade) -> ApiKeys {
    let form = KeyForm::new("acme", ["live"]).unwrap();
    let peppers = Peppers::new(1, Secret::from(vec![7; 32])).unwrap();
    let old = ImportedForm::new("old_", PublicPart::Until('_'), upgrade).unwrap();
    let mut config = ApiKeyConfig::default();
    config.key_capacity = 16;
    let keys = ApiKeys::builder(form, peppers, store.clone()).imported(old);
    keys.config(config).build().unwrap()
}

fn verify(runtime: &Runtime, keys: &ApiKeys, text: &str) {
    let verified = runtime.block_on(keys.verifier().verify(black_box(text), None));
    black_box(verified.unwrap());
}

fn is_upgraded(runtime: &Runtime, store: &MemoryStore, id: KeyId) -> bool {
    let record = runtime.block_on(store.get(id)).unwrap().unwrap();
    matches!(record.hash, SecretHash::Hmac { .. })
}

fn cold(c: &mut Criterion, runtime: &Runtime, name: &str, make: impl Fn() -> ApiKeys, text: &str) {
    c.bench_function(name, |b| {
        b.iter_batched(
            &make,
            |keys| {
                verify(runtime, &keys, text);
                keys
            },
            BatchSize::NumIterations(64),
        );
    });
}

fn imported(c: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let grant = || KeyGrant::service("ci", "live").roles(["developer"]);
    let store = MemoryStore::new();
    let keys = process(&store, Upgrade::ToHmac);
    let generated = runtime.block_on(keys.issue(grant())).unwrap();
    let imported = runtime.block_on(keys.import("old_7f3a", HASH, grant()));
    let id = imported.unwrap().id;

    let never = || process(&store, Upgrade::Never);
    let mut group = c.benchmark_group("imported");
    group.sample_size(10);
    group.bench_function("cold, argon2id", |b| {
        b.iter_batched(
            never,
            |keys| verify(&runtime, &keys, IMPORTED),
            BatchSize::PerIteration,
        );
    });
    group.finish();

    verify(&runtime, &keys, IMPORTED);
    c.bench_function("imported/warm", |b| {
        b.iter(|| verify(&runtime, &keys, IMPORTED));
    });
    c.bench_function("generated/warm", |b| {
        b.iter(|| verify(&runtime, &keys, generated.text()));
    });
    // It is upgraded by a task that nobody waits for.
    while !is_upgraded(&runtime, &store, id) {
        runtime.block_on(tokio::task::yield_now());
    }
    let make = || process(&store, Upgrade::ToHmac);
    cold(c, &runtime, "imported/cold, upgraded", make, IMPORTED);
    cold(c, &runtime, "generated/cold", make, generated.text());
    assert_eq!(keys.slow_hashes(), 1);
}

criterion_group!(benches, imported);
criterion_main!(benches);

//! Whatever is wrong with a key whose form is right, it costs one read and one hash (AL-3): time tells nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_core::{FakeClock, Secret};

use crate::{
    ApiKeys, IssuedKey, KeyForm, KeyGrant, KeyId, KeyRecord, KeyStore, MemoryStore, Peppers,
    Revoked, StoreFuture, peppers::HASHES,
};

/// Counts reads.
#[derive(Clone)]
struct Counting(MemoryStore, Arc<AtomicUsize>);

impl KeyStore for Counting {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.get(id)
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.0.insert(record)
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.0.replace(record)
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        self.0.rotate(old, new)
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        self.0.revoke(id, revoked)
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.0.list(after, at_most)
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.0.touch(uses)
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        self.0.remove_ended(before, at_most)
    }
}

fn keys(store: &Counting, clock: &FakeClock, pepper: u32) -> ApiKeys {
    let form = KeyForm::new("acme", ["live", "test"]).unwrap();
    let peppers = Peppers::new(pepper, Secret::from(vec![pepper as u8; 32])).unwrap();
    let keys = ApiKeys::builder(form, peppers, store.clone()).clock(clock.clone());
    keys.build().unwrap()
}

async fn issue(keys: &ApiKeys) -> IssuedKey {
    keys.issue(KeyGrant::service("ci", "live")).await.unwrap()
}

#[tokio::test]
async fn al_3_unknown_wrong_expired_early_and_revoked_keys_cost_one_read_and_one_hash() {
    let clock = FakeClock::at(Duration::from_secs(1_800_000_000));
    let store = Counting(MemoryStore::new(), Arc::default());
    let keys = keys(&store, &clock, 1);
    let change = async |key: &IssuedKey, change: &dyn Fn(&mut KeyRecord)| {
        let mut record = key.record().clone();
        record.version += 1;
        change(&mut record);
        store.replace(record).await.unwrap();
    };
    let (good, expired, early) = (issue(&keys).await, issue(&keys).await, issue(&keys).await);
    change(&expired, &|record| record.expires_at = record.created_at).await;
    change(&early, &|record| record.not_before += 60).await;
    let (revoked, elsewhere, other) = (issue(&keys).await, issue(&keys).await, issue(&keys).await);
    store
        .revoke(
            revoked.record().id,
            Revoked {
                at: 0,
                reason: String::new(),
            },
        )
        .await
        .unwrap();
    change(&elsewhere, &|record| {
        record.grant.environment = "test".into();
    })
    .await;
    let wrong = issue(&keys).await;
    change(&wrong, &|record| record.hash = other.record().hash.clone()).await;
    let peppered = issue(&self::keys(&store, &clock, 2)).await;
    let stranger = Counting(MemoryStore::new(), Arc::default());
    let unknown = issue(&self::keys(&stranger, &clock, 1)).await;
    let honey = keys.issue_honey("backup", "live").await.unwrap();
    let mut reasons = Vec::new();
    for key in [
        &good, &honey, &expired, &early, &revoked, &elsewhere, &wrong, &peppered, &unknown,
    ] {
        let before = (store.1.load(Ordering::SeqCst), HASHES.get());
        let verdict = keys.verifier().verify(key.text(), None).await;
        reasons.push(verdict.err().map(|denial| denial.reason().to_owned()));
        let reads = store.1.load(Ordering::SeqCst) - before.0;
        assert_eq!((reads, HASHES.get() - before.1), (1, 1), "{reasons:?}");
    }
    reasons.sort();
    reasons.dedup();
    assert_eq!(
        reasons.len(),
        9,
        "each its own for the operator: {reasons:?}"
    );
}

//! What happens while something else does.

use std::{sync::Arc, time::Duration};

use bartizan_apikey::{
    ApiKeys, KeyError, KeyId, KeyRecord, KeyStore, MemoryStore, Revoked, StoreError, StoreFuture,
};
use tokio::sync::Semaphore;

use super::support::{builder, clock, issue, verify};

/// A store that does everything, and answers reads and revocations when it is let.
#[derive(Clone)]
struct Gated {
    inner: MemoryStore,
    reads: Arc<Semaphore>,
    revocations: Arc<Semaphore>,
}

impl Gated {
    fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            reads: Arc::new(Semaphore::new(1000)),
            revocations: Arc::new(Semaphore::new(1000)),
        }
    }

    fn keys(&self) -> ApiKeys {
        builder(self.clone(), &clock()).build().unwrap()
    }
}

async fn let_through(gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

impl KeyStore for Gated {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(async move {
            let record = self.inner.get(id).await;
            let_through(&self.reads).await;
            record
        })
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.inner.insert(record)
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.inner.replace(record)
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        self.inner.rotate(old, new)
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(async move {
            let_through(&self.revocations).await;
            self.inner.revoke(id, revoked).await
        })
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.inner.list(after, at_most)
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.inner.touch(uses)
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        self.inner.remove_ended(before, at_most)
    }
}

fn close(gate: &Semaphore) {
    gate.forget_permits(1000);
}

#[tokio::test]
async fn a_key_that_is_revoked_while_it_is_looked_up_is_refused() {
    let store = Gated::new();
    let keys = store.keys();
    let key = issue(&keys).await;
    close(&store.reads);
    let look = tokio::spawn({
        let (keys, text) = (keys.clone(), key.text().to_owned());
        async move { verify(&keys, &text).await }
    });
    // The record that is on its way is of before.
    tokio::task::yield_now().await;
    keys.revoke(key.record().id, "left").await.unwrap();
    store.reads.add_permits(10);
    assert_eq!(
        look.await.unwrap().unwrap_err(),
        "the credential is revoked"
    );
    assert!(verify(&keys, key.text()).await.is_err());
}

#[tokio::test]
async fn a_revocation_whose_caller_went_away_holds_here() {
    let store = Gated::new();
    let keys = store.keys();
    let key = issue(&keys).await;
    verify(&keys, key.text()).await.unwrap();
    close(&store.revocations);
    let revoking = keys.revoke(key.record().id, "left");
    let gone = tokio::time::timeout(Duration::from_millis(1), revoking).await;
    assert!(gone.is_err());
    assert!(verify(&keys, key.text()).await.is_err());
}

#[tokio::test]
async fn a_key_is_rotated_or_revoked_first_and_never_good_after_a_revocation() {
    // A rotation that read the record before it was revoked.
    let store = Gated::new();
    let keys = store.keys();
    let key = issue(&keys).await;
    let id = key.record().id;
    close(&store.reads);
    let rotation = tokio::spawn({
        let keys = keys.clone();
        async move { keys.rotate(id, Duration::from_secs(60)).await }
    });
    tokio::task::yield_now().await;
    keys.revoke(id, "left").await.unwrap();
    store.reads.add_permits(100);
    let rotated = rotation.await.unwrap();
    let revoked = matches!(rotated, Err(KeyError::Store(StoreError::Revoked)));
    assert!(revoked, "{rotated:?}");
    let record = keys.inspect(id).await.unwrap().unwrap();
    assert!(record.revoked.is_some() && record.successor.is_none());

    // One that was done before: the successor has a life of its own.
    let key = issue(&keys).await;
    let id = key.record().id;
    let new = keys.rotate(id, Duration::from_secs(60)).await.unwrap();
    keys.revoke(id, "left").await.unwrap();
    assert!(verify(&keys, key.text()).await.is_err());
    assert!(verify(&keys, new.unwrap().text()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rotations_at_a_time_are_one() {
    let keys = builder(MemoryStore::new(), &clock()).build().unwrap();
    for _ in 0..20 {
        let id = issue(&keys).await.record().id;
        let rotations: Vec<_> = (0..8)
            .map(|_| {
                let keys = keys.clone();
                tokio::spawn(async move { keys.rotate(id, Duration::from_secs(60)).await })
            })
            .collect();
        let mut done = Vec::new();
        for rotation in rotations {
            match rotation.await.unwrap() {
                Ok(key) => done.push(key.unwrap().record().id),
                Err(KeyError::NotRotated | KeyError::Store(StoreError::Conflict)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        let record = keys.inspect(id).await.unwrap().unwrap();
        assert_eq!(done, [record.successor.unwrap()]);
    }
}

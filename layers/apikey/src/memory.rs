use std::{
    fmt,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{KeyId, KeyRecord, KeyStore, Revoked, StoreError, StoreFuture, records::Records};

/// Records in the memory of this process, for as long as it runs: for tests, and as the model that other
/// stores are compared with. Clones share them.
#[derive(Clone)]
pub struct MemoryStore {
    records: Arc<Mutex<Records>>,
    capacity: usize,
}

impl MemoryStore {
    /// Records that are held unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// An empty store.
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// An empty store with room for so many records.
    pub fn with_capacity(records: usize) -> Self {
        Self {
            records: Arc::default(),
            capacity: records,
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // Each change is made after all that could fail.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyStore for MemoryStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        done(Ok(self.records().get(id).cloned()))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        done(self.records().insert(record, self.capacity))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        done(self.records().replace(record))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        done(self.records().rotate(old, new, self.capacity))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        done(Ok(self.records().revoke(id, revoked)))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        done(Ok(self.records().page(after, at_most)))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.records().touch(uses);
        done(Ok(()))
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        done(Ok(self.records().remove_ended(before, at_most)))
    }
}

fn done<'a, T: Send + 'a>(result: Result<T, StoreError>) -> StoreFuture<'a, T> {
    Box::pin(ready(result))
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.records().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}

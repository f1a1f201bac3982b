use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    future::ready,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{KeyId, KeyRecord, KeyStore, Revoked, StoreError, StoreFuture};

/// Records in the memory of this process, for as long as it runs: for tests, and as the model that other
/// stores are compared with. Clones share them.
#[derive(Clone)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<KeyId, KeyRecord>>>,
    capacity: usize,
}

type Records<'a> = MutexGuard<'a, BTreeMap<KeyId, KeyRecord>>;

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

    fn records(&self) -> Records<'_> {
        // Each change is one insertion, after all that could fail.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_new(&self, records: &Records<'_>, record: &KeyRecord) -> Result<(), StoreError> {
        if record.version != 1 || records.contains_key(&record.id) {
            return Err(StoreError::Conflict);
        }
        if records.len() >= self.capacity {
            return Err(StoreError::Full);
        }
        Ok(())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyStore for MemoryStore {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        done(Ok(self.records().get(&id).cloned()))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        let checked = self.check_new(&records, &record);
        done(checked.map(|()| {
            records.insert(record.id, record);
        }))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        let checked = check_next(&records, &record);
        done(checked.map(|()| put(&mut records, record)))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        let checked = check_next(&records, &old);
        let checked = checked.and_then(|()| self.check_new(&records, &new));
        done(checked.map(|()| {
            put(&mut records, old);
            put(&mut records, new);
        }))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        let mut records = self.records();
        let Entry::Occupied(mut entry) = records.entry(id) else {
            return done(Ok(None));
        };
        let record = entry.get_mut();
        if record.revoked.is_none() {
            record.version = record.version.saturating_add(1);
            record.revoked = Some(revoked);
        }
        done(Ok(Some(record.clone())))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records();
        let page = records.range((from, Bound::Unbounded)).take(at_most);
        done(Ok(page.map(|(_, record)| record.clone()).collect()))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        let mut records = self.records();
        for (id, at) in uses {
            if let Some(record) = records.get_mut(&id) {
                record.last_used = record.last_used.max(Some(at));
            }
        }
        done(Ok(()))
    }
}

/// When it was used is the store's to know.
fn put(records: &mut Records<'_>, mut record: KeyRecord) {
    let before = records.get(&record.id).and_then(|before| before.last_used);
    record.last_used = before.max(record.last_used);
    records.insert(record.id, record);
}

fn check_next(records: &Records<'_>, record: &KeyRecord) -> Result<(), StoreError> {
    let before = records.get(&record.id).ok_or(StoreError::Conflict)?;
    if before.revoked.is_some() {
        return Err(StoreError::Revoked);
    }
    let is_next = before.version.checked_add(1) == Some(record.version);
    is_next.then_some(()).ok_or(StoreError::Conflict)
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

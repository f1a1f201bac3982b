use std::{
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bartizan_apikey::{KeyId, KeyRecord, KeyStore, Revoked, StoreError, StoreFuture};

/// A store whose reads are counted, that can be down, and of which one record can be spoilt.
#[derive(Clone)]
pub(crate) struct Counting<S> {
    inner: S,
    reads: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
    unreadable: Arc<Mutex<Option<KeyId>>>,
}

impl<S> Counting<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            reads: Arc::default(),
            is_down: Arc::default(),
            unreadable: Arc::default(),
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn is_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// From now on the record of this key can't be read.
    pub(crate) fn spoil(&self, id: KeyId) {
        *self.unreadable.lock().unwrap() = Some(id);
    }

    fn up<'a, T: Send + 'a>(
        &'a self,
        then: impl FnOnce() -> StoreFuture<'a, T>,
    ) -> StoreFuture<'a, T> {
        if self.is_down.load(Ordering::SeqCst) {
            return Box::pin(ready(Err(StoreError::Down("unplugged".into()))));
        }
        then()
    }
}

impl<S: KeyStore> KeyStore for Counting<S> {
    fn get(&self, id: KeyId) -> StoreFuture<'_, Option<KeyRecord>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if *self.unreadable.lock().unwrap() == Some(id) {
            return Box::pin(ready(Err(StoreError::Unreadable(id, "spoilt".into()))));
        }
        self.up(|| self.inner.get(id))
    }

    fn insert(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.up(|| self.inner.insert(record))
    }

    fn replace(&self, record: KeyRecord) -> StoreFuture<'_, ()> {
        self.up(|| self.inner.replace(record))
    }

    fn rotate(&self, old: KeyRecord, new: KeyRecord) -> StoreFuture<'_, ()> {
        self.up(|| self.inner.rotate(old, new))
    }

    fn revoke(&self, id: KeyId, revoked: Revoked) -> StoreFuture<'_, Option<KeyRecord>> {
        self.up(|| self.inner.revoke(id, revoked))
    }

    fn list(&self, after: Option<KeyId>, at_most: usize) -> StoreFuture<'_, Vec<KeyRecord>> {
        self.up(|| self.inner.list(after, at_most))
    }

    fn touch(&self, uses: Vec<(KeyId, u64)>) -> StoreFuture<'_, ()> {
        self.up(|| self.inner.touch(uses))
    }

    fn remove_ended(&self, before: u64, at_most: usize) -> StoreFuture<'_, usize> {
        self.up(|| self.inner.remove_ended(before, at_most))
    }
}

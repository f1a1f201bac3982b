use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::runtime::Handle;

use crate::{KeyId, KeyStore, StoreError, patience::in_time};

/// When keys were last used, until it is written down.
pub(crate) struct Uses {
    store: Arc<dyn KeyStore>,
    waiting: Mutex<HashMap<KeyId, u64>>,
    /// When it was written last, in seconds since the Unix epoch.
    written_at: AtomicU64,
}

/// How exact the time of the last use is, in seconds.
pub(crate) const EXACTNESS: u64 = 60;

/// Most keys that wait; those beyond are written with a later use.
const MOST: usize = 65_536;

impl Uses {
    pub(crate) fn new(store: Arc<dyn KeyStore>, now: u64) -> Self {
        Self {
            store,
            waiting: Mutex::default(),
            written_at: AtomicU64::new(now),
        }
    }

    /// Takes note of a use, and has all written if that was last done long ago.
    pub(crate) fn note(self: &Arc<Self>, id: KeyId, now: u64) {
        {
            let waiting = self.waiting.lock();
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            if waiting.len() < MOST || waiting.contains_key(&id) {
                waiting.insert(id, now);
            }
        }
        let written_at = self.written_at.load(Ordering::Relaxed);
        // Also once the wall clock was set back: it would be as late again only after a long time.
        if now.abs_diff(written_at) < EXACTNESS {
            return;
        }
        let ours =
            self.written_at
                .compare_exchange(written_at, now, Ordering::Relaxed, Ordering::Relaxed);
        if ours.is_ok()
            && let Ok(runtime) = Handle::try_current()
        {
            let uses = Arc::clone(self);
            // Of use to people only: what is lost is noted again with the next use.
            runtime.spawn(async move { uses.flush().await.ok() });
        }
    }

    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        let waiting = {
            let waiting = self.waiting.lock();
            mem::take(&mut *waiting.unwrap_or_else(PoisonError::into_inner))
        };
        if waiting.is_empty() {
            return Ok(());
        }
        in_time(self.store.touch(waiting.into_iter().collect())).await
    }
}

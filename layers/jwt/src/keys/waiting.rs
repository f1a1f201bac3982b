use std::{panic::catch_unwind, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

/// So many requests wait for the keys of one issuer at most.
const MAX_WAITING: usize = 1024;

/// A fetch that has begun.
#[derive(Clone)]
pub(crate) struct Running {
    /// Its sender goes when the fetch has ended, which is an error here.
    ended: watch::Receiver<()>,
    at_most: Duration,
}

impl Running {
    /// One that ends when the sender goes, or will not end any more after `at_most`.
    pub(super) fn new(ended: watch::Receiver<()>, at_most: Duration) -> Self {
        Self { ended, at_most }
    }

    /// Until it has ended, whatever came of it, or will not end any more.
    pub(super) async fn landed(mut self) {
        let ended = async { while self.ended.changed().await.is_ok() {} };
        if Handle::try_current().is_err() {
            ended.await;
        } else if has_timers() {
            let _ = timeout(self.at_most, ended).await;
        }
        // Without timers the wait could not be bounded, so there is none.
    }

    /// Whether it is under way, so long after it began.
    pub(super) fn is_under_way(&self, passed: Duration) -> bool {
        self.ended.has_changed().is_ok() && passed < self.at_most
    }
}

/// The places for requests that wait.
#[derive(Clone)]
pub(crate) struct WaitingRoom(Arc<Semaphore>);

impl WaitingRoom {
    pub(super) fn enter(&self, running: Running) -> Option<Waiter> {
        let place = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Waiter {
            running,
            _place: place,
        })
    }
}

impl Default for WaitingRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WAITING)))
    }
}

/// Waits for a fetch.
pub(crate) struct Waiter {
    running: Running,
    _place: OwnedSemaphorePermit,
}

impl Waiter {
    /// Until the fetch has ended, whatever came of it, or will not end any more.
    pub(crate) async fn landed(self) {
        self.running.landed().await;
    }
}

/// Whether the current runtime has timers. A panic is tokio's only way of saying no.
pub(super) fn has_timers() -> bool {
    catch_unwind(|| drop(sleep(Duration::ZERO))).is_ok()
}

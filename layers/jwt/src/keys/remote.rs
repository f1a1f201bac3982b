use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bartizan_core::{Clock, Event, Events, Severity};
use bytes::Bytes;

use super::{
    Flight, Generation, KeySet, Refresh, Schedule, Waiter,
    schedule::GRACE,
    waiting::{Running, WaitingRoom},
};
use crate::{Algorithm, FetchDocument};

/// When a request may come back for which there was no room to wait.
const SHORTLY: Duration = Duration::from_secs(1);

/// Where keys come from.
pub(crate) enum Origin {
    Discovery { issuer: String },
    Jwks { url: String },
}

/// Keys that are fetched, cached and refreshed (TV-13).
///
/// One fetch runs at a time, as a task of its own: whoever waits for it may go away without
/// harm. Readers load a snapshot and never wait for a lock that is held across a fetch.
pub(crate) struct Remote {
    pub(crate) origin: Origin,
    pub(crate) fetcher: Arc<dyn FetchDocument>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) allowed: Vec<Algorithm>,
    pub(crate) schedule: Schedule,
    pub(crate) allow_http: bool,
    pub(crate) snapshot: ArcSwapOption<Snapshot>,
    pub(crate) flight: Mutex<Flight>,
    pub(crate) waiting: WaitingRoom,
}

pub(crate) struct Snapshot {
    pub(super) keys: Arc<KeySet>,
    /// What the keys were read from.
    pub(super) document: Bytes,
    /// How long they are fresh.
    pub(super) ttl: Duration,
    pub(super) jwks_url: String,
    pub(super) discovered_at: Duration,
    pub(super) fetched_at: Duration,
}

/// The keys to judge a token by, or what tells which they are.
pub(crate) enum Current<K = Arc<KeySet>> {
    Ready(K),
    Wait(Waiter),
    /// There are none, and when to come back.
    Down(Duration),
}

/// What may know a key that a set does not have.
pub(crate) enum Newer {
    Keys(Arc<KeySet>),
    Wait(Waiter),
    /// The issuer cannot be asked, and when to come back.
    Down(Duration),
    /// It was asked just before.
    Nothing,
}

impl Remote {
    /// The keys for a token; starts a refresh if it is due.
    ///
    /// Nobody waits while the issuer is known to be down, and no more wait than there is room for.
    pub(crate) fn current(self: &Arc<Self>) -> Current {
        match self.fresh(Arc::clone) {
            Some(keys) => Current::Ready(keys),
            None => self.current_unless_fresh(),
        }
    }

    /// Which keys those would be.
    pub(crate) fn current_generation(self: &Arc<Self>) -> Current<Generation> {
        if let Some(generation) = self.fresh(|keys| keys.generation()) {
            return Current::Ready(generation);
        }
        match self.current_unless_fresh() {
            Current::Ready(keys) => Current::Ready(keys.generation()),
            Current::Wait(waiter) => Current::Wait(waiter),
            Current::Down(after) => Current::Down(after),
        }
    }

    /// What `look` takes from the keys, while they are fresh.
    fn fresh<T>(self: &Arc<Self>, look: impl FnOnce(&Arc<KeySet>) -> T) -> Option<T> {
        let snapshot = self.snapshot.load();
        let fresh = snapshot.as_ref()?;
        let age = self.age(fresh);
        if age >= fresh.ttl {
            return None;
        }
        // Who asks in the last quarter of their time has them renewed for those who come after.
        if age >= fresh.ttl * 3 / 4 {
            self.refresh(true);
        }
        Some(look(&fresh.keys))
    }

    fn current_unless_fresh(self: &Arc<Self>) -> Current {
        match (self.refresh(true), self.usable()) {
            // After a quiet time the keys may be long outdated, and nothing says the issuer is down.
            (
                Refresh::Running {
                    running,
                    failed_before: false,
                },
                snapshot,
            ) if snapshot.as_ref().is_none_or(|s| self.is_outdated(s)) => self.wait(running),
            (_, Some(snapshot)) => Current::Ready(Arc::clone(&snapshot.keys)),
            (Refresh::Running { .. }, None) => Current::Down(self.floor()),
            (Refresh::Cooling { remaining, .. }, None) => Current::Down(remaining),
        }
    }

    /// Where a key may be that is not in the set of this generation.
    pub(crate) fn newer_than(self: &Arc<Self>, generation: Generation) -> Newer {
        let refresh = self.refresh(false);
        let is_newer = |s: &Arc<Snapshot>| s.keys.generation() != generation;
        if let Some(snapshot) = self.usable().filter(is_newer) {
            return Newer::Keys(Arc::clone(&snapshot.keys));
        }
        match refresh {
            Refresh::Running {
                failed_before: true,
                ..
            } => Newer::Down(self.floor()),
            Refresh::Running { running, .. } => match self.wait(running) {
                Current::Wait(waiter) => Newer::Wait(waiter),
                _ => Newer::Down(SHORTLY),
            },
            Refresh::Cooling {
                remaining,
                failed: true,
            } => Newer::Down(remaining),
            Refresh::Cooling { .. } => Newer::Nothing,
        }
    }

    /// The keys once a fetch has ended: new ones, or old ones within their bound.
    pub(crate) fn settled(&self) -> Result<Arc<KeySet>, Duration> {
        let snapshot = self.usable().ok_or_else(|| self.floor())?;
        Ok(Arc::clone(&snapshot.keys))
    }

    /// Gets the keys, unless they are there; why not.
    pub(crate) async fn warm_up(self: &Arc<Self>) -> Result<(), String> {
        match self.current() {
            Current::Ready(_) => return Ok(()),
            Current::Wait(waiter) => waiter.landed().await,
            // What requests do not wait for, this does.
            Current::Down(_) => {
                if let Refresh::Running { running, .. } = self.refresh(true) {
                    running.landed().await;
                }
            }
        }
        match self.usable() {
            Some(_) => Ok(()),
            None => Err(self.failure().unwrap_or_default()),
        }
    }

    /// How soon a fetch may follow the last one.
    pub(crate) fn floor(&self) -> Duration {
        self.schedule.floor(self.usable().is_some())
    }

    /// What was fetched, within its bound.
    pub(super) fn usable(&self) -> Option<Arc<Snapshot>> {
        let max_stale = self.schedule.max_stale;
        let is_bounded = |s: &Arc<Snapshot>| self.age(s) < s.ttl.saturating_add(max_stale);
        self.snapshot.load_full().filter(is_bounded)
    }

    pub(super) fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events.emit(&Event::new("jwt", severity, kind, detail));
    }

    fn is_outdated(&self, snapshot: &Snapshot) -> bool {
        self.age(snapshot) >= snapshot.ttl.saturating_add(GRACE)
    }

    fn wait(&self, running: Running) -> Current {
        let waiter = self.waiting.enter(running);
        waiter.map_or(Current::Down(SHORTLY), Current::Wait)
    }

    fn age(&self, snapshot: &Snapshot) -> Duration {
        self.clock.monotonic().saturating_sub(snapshot.fetched_at)
    }
}

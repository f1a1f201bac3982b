use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use bartizan_core::{Clock, Event, Events, Severity};
use bytes::Bytes;
use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::KeySet;
use crate::{Algorithm, FetchDocument};

/// For so long past their time keys serve without a wait while the refresh runs.
const GRACE: Duration = Duration::from_secs(60);
/// How soon a failed fetch is repeated while there are no keys at all.
const COLD_FLOOR: Duration = Duration::from_secs(5);

/// Keys are fresh for so long at least, whatever their server says.
const LEAST_TTL: Duration = Duration::from_secs(60);

/// A fetch that took so much longer than it may is on a runtime that nobody drives.
const STALLED: Duration = Duration::from_secs(1);

const NOT_ENDED: &str = "the fetch did not end";

/// Waits for a fetch.
#[derive(Clone)]
pub(crate) struct Waiter {
    /// Its sender goes when the fetch has ended, which is an error here.
    ended: watch::Receiver<()>,
    at_most: Duration,
}

impl Waiter {
    /// Until the fetch has ended, whatever came of it, or will not end any more.
    pub(crate) async fn landed(mut self) {
        let ended = async { while self.ended.changed().await.is_ok() {} };
        if Handle::try_current().is_ok() {
            let _ = timeout(self.at_most, ended).await;
        } else {
            ended.await;
        }
    }

    fn is_waiting(&self) -> bool {
        self.ended.has_changed().is_ok()
    }
}

/// Where keys come from.
pub(crate) enum Origin {
    Discovery { issuer: String },
    Jwks { url: String },
}

/// When keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// How long fetched keys are fresh.
    pub(crate) ttl: Duration,
    /// How long beyond that they serve if they cannot be refreshed.
    pub(crate) max_stale: Duration,
    /// The least time between two fetches.
    pub(crate) floor: Duration,
    /// How long one fetch, with discovery, may take.
    pub(crate) timeout: Duration,
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

impl Schedule {
    /// How long keys are fresh whose server says so: no longer than is configured, and no shorter
    /// than a minute or the time between two fetches, since whoever fills a cache of theirs must not
    /// decide how often they are asked for.
    pub(super) fn ttl_of(&self, max_age: Option<Duration>) -> Duration {
        let least = self.floor.max(LEAST_TTL);
        max_age.map_or(self.ttl, |max_age| max_age.max(least).min(self.ttl))
    }
}

#[derive(Default)]
pub(crate) struct Flight {
    number: u64,
    running: Option<Waiter>,
    started_at: Option<Duration>,
    failure: Option<String>,
}

pub(crate) enum Current {
    Ready(Arc<KeySet>),
    Wait(Waiter),
    /// There are none, and when to come back.
    Down(Duration),
}

pub(crate) enum Refresh {
    Running {
        waiter: Waiter,
        failed_before: bool,
    },
    /// The last fetch is too recent.
    Cooling {
        remaining: Duration,
        failed: bool,
    },
}

impl Remote {
    /// The keys for a token; starts a refresh if it is due.
    pub(crate) fn current(self: &Arc<Self>) -> Current {
        let max_stale = self.schedule.max_stale;
        let snapshot = self.snapshot.load();
        if let Some(fresh) = snapshot.as_ref().filter(|s| self.age(s) < s.ttl) {
            // Who asks in the last quarter of their time has them renewed for those who come after.
            if self.age(fresh) >= fresh.ttl * 3 / 4 {
                self.refresh(true);
            }
            return Current::Ready(Arc::clone(&fresh.keys));
        }
        let snapshot = Guard::into_inner(snapshot);
        let refresh = self.refresh(true);
        let is_bounded = |s: &Arc<Snapshot>| self.age(s) < s.ttl.saturating_add(max_stale);
        let Some(snapshot) = snapshot.filter(is_bounded) else {
            return match refresh {
                Refresh::Running { waiter, .. } => Current::Wait(waiter),
                Refresh::Cooling { remaining, .. } => Current::Down(remaining),
            };
        };
        match refresh {
            // After a quiet time the keys may be long outdated, and nothing says the issuer is down.
            Refresh::Running {
                waiter,
                failed_before: false,
            } if self.age(&snapshot) >= snapshot.ttl.saturating_add(GRACE) => Current::Wait(waiter),
            _ => Current::Ready(Arc::clone(&snapshot.keys)),
        }
    }

    /// The keys once a fetch has ended: new ones, or old ones within their bound.
    pub(crate) fn settled(&self) -> Result<Arc<KeySet>, Duration> {
        let max_stale = self.schedule.max_stale;
        match self.snapshot.load_full() {
            Some(s) if self.age(&s) < s.ttl.saturating_add(max_stale) => Ok(Arc::clone(&s.keys)),
            _ => Err(self.floor()),
        }
    }

    /// Starts a fetch, joins the one that runs, or says why there is none.
    pub(crate) fn refresh(self: &Arc<Self>, rediscover: bool) -> Refresh {
        let now = self.clock.monotonic();
        let floor = self.floor();
        let mut flight = self.lock();
        let passed = flight.started_at.map(|at| now.saturating_sub(at));
        if let Some(waiter) = flight.running.take() {
            if waiter.is_waiting() && passed.is_some_and(|passed| passed < waiter.at_most) {
                flight.running = Some(waiter.clone());
                return Refresh::Running {
                    waiter,
                    failed_before: flight.failure.is_some(),
                };
            }
            // Its runtime stands still, or went before the fetch began.
            flight.failure = Some(NOT_ENDED.into());
        }
        let failed = flight.failure.is_some();
        if let Some(passed) = passed.filter(|passed| *passed < floor) {
            return Refresh::Cooling {
                remaining: floor.saturating_sub(passed),
                failed,
            };
        }
        let Ok(runtime) = Handle::try_current() else {
            flight.failure = Some("not inside a tokio runtime".into());
            return Refresh::Cooling {
                remaining: floor,
                failed: true,
            };
        };
        let (done, ended) = watch::channel(());
        let at_most = self.schedule.timeout.saturating_add(STALLED);
        let waiter = Waiter { ended, at_most };
        flight.number += 1;
        flight.running = Some(waiter.clone());
        flight.started_at = Some(now);
        let number = flight.number;
        // What failed long ago tells nothing of now.
        if passed.is_none_or(|passed| passed >= floor.saturating_add(GRACE)) {
            flight.failure = None;
        }
        let failed_before = flight.failure.is_some();
        // A runtime that is shutting down drops the task here.
        drop(flight);
        runtime.spawn(Arc::clone(self).fly(rediscover, number, done));
        Refresh::Running {
            waiter,
            failed_before,
        }
    }

    /// Why the last fetch failed, if it did. To be asked once it was waited for.
    pub(crate) fn failure(&self) -> Option<String> {
        let flight = self.lock();
        match flight.running {
            Some(_) => Some(NOT_ENDED.into()),
            None => flight.failure.clone(),
        }
    }

    async fn fly(self: Arc<Self>, rediscover: bool, number: u64, done: watch::Sender<()>) {
        let mut landing = Landing {
            remote: &self,
            number,
            failure: Some("the fetch was interrupted".into()),
            _done: done,
        };
        let load = timeout(self.schedule.timeout, self.load(rediscover));
        let result = load.await.unwrap_or_else(|_| Err("timed out".into()));
        match result {
            Ok(snapshot) => {
                let count = snapshot.keys.len();
                self.snapshot.store(Some(Arc::new(snapshot)));
                landing.failure = None;
                self.emit(Severity::Info, "keys_refreshed", format!("{count} keys"));
            }
            Err(reason) => {
                let severity = match self.settled() {
                    Ok(_) => Severity::Warning,
                    Err(_) => Severity::Error,
                };
                self.emit(severity, "keys_refresh_failed", reason.clone());
                landing.failure = Some(reason);
            }
        }
    }

    fn age(&self, snapshot: &Snapshot) -> Duration {
        self.clock.monotonic().saturating_sub(snapshot.fetched_at)
    }

    fn floor(&self) -> Duration {
        match self.snapshot.load().as_ref() {
            Some(_) => self.schedule.floor,
            None => self.schedule.floor.min(COLD_FLOOR),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events.emit(&Event::new("jwt", severity, kind, detail));
    }
}

/// Ends a flight however its task ends.
struct Landing<'a> {
    remote: &'a Remote,
    number: u64,
    failure: Option<String>,
    /// Dropped after the flight's outcome was written down.
    _done: watch::Sender<()>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flight = self.remote.lock();
        if flight.number == self.number {
            flight.running = None;
            flight.failure = self.failure.take();
        }
    }
}

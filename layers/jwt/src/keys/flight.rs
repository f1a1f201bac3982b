use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_core::Severity;
use tokio::{runtime::Handle, sync::watch, time::timeout};

use super::{
    remote::{Remote, Snapshot},
    schedule::GRACE,
    waiting::{Running, has_timers},
};

/// A fetch that took so much longer than it may is on a runtime that nobody drives.
const STALLED: Duration = Duration::from_secs(1);

const NOT_ENDED: &str = "the fetch did not end";

/// The fetch that runs, or what became of the last one.
#[derive(Default)]
pub(crate) struct Flight {
    number: u64,
    running: Option<Running>,
    started_at: Option<Duration>,
    failure: Option<String>,
}

pub(crate) enum Refresh {
    Running {
        running: Running,
        failed_before: bool,
    },
    /// The last fetch is too recent.
    Cooling { remaining: Duration, failed: bool },
}

impl Remote {
    /// Starts a fetch, joins the one that runs, or says why there is none.
    ///
    /// One that ran may have ended just before: look at the snapshot afterwards, not before.
    pub(super) fn refresh(self: &Arc<Self>, rediscover: bool) -> Refresh {
        let now = self.clock.monotonic();
        let floor = self.floor();
        let mut flight = self.lock();
        let passed = flight.started_at.map(|at| now.saturating_sub(at));
        if let Some(running) = flight.running.take() {
            if passed.is_some_and(|passed| running.is_under_way(passed)) {
                flight.running = Some(running.clone());
                return Refresh::Running {
                    running,
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
        flight.started_at = Some(now);
        if !has_timers() {
            let reason = "the tokio runtime has no timers";
            flight.failure = Some(reason.into());
            drop(flight);
            self.emit_failure(reason.into());
            return Refresh::Cooling {
                remaining: floor,
                failed: true,
            };
        }
        let (done, ended) = watch::channel(());
        let running = Running::new(ended, self.schedule.timeout.saturating_add(STALLED));
        flight.number += 1;
        flight.running = Some(running.clone());
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
            running,
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
                if self.replace(snapshot, number) {
                    landing.failure = None;
                    self.emit(Severity::Info, "keys_refreshed", format!("{count} keys"));
                }
            }
            Err(reason) => {
                self.emit_failure(reason.clone());
                landing.failure = Some(reason);
            }
        }
    }

    /// Puts the snapshot in use, unless its fetch was given up and another was begun: what that one
    /// brought is newer.
    fn replace(&self, snapshot: Snapshot, number: u64) -> bool {
        let flight = self.lock();
        let is_current = flight.number == number;
        if is_current {
            self.snapshot.store(Some(Arc::new(snapshot)));
        }
        is_current
    }

    fn emit_failure(&self, reason: String) {
        let severity = match self.usable() {
            Some(_) => Severity::Warning,
            None => Severity::Error,
        };
        self.emit(severity, "keys_refresh_failed", reason);
    }

    fn lock(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
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

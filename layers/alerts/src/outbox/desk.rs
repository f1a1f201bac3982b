use std::{
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bartizan_audit::Severity;

use super::waiting::Waiting;
use crate::Alert;

/// Where alerts of one receiver wait. No lock is held while one is delivered.
pub(crate) struct Desk {
    pub(super) name: Box<str>,
    capacity: usize,
    at_least: Severity,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// One is on its way.
    is_busy: bool,
    /// Not delivered, and not told yet.
    missed: u64,
    /// Not delivered since the beginning.
    all_missed: u64,
    is_overflow_told: bool,
    /// Set once no more come: until then what waits is delivered.
    ends: Option<Instant>,
    is_over: bool,
}

/// What became of an alert that was to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Waits,
    /// It or another one is dropped; whether it is the first one of many.
    Dropped {
        is_first: bool,
    },
}

impl Desk {
    pub(super) fn new(name: Box<str>, capacity: usize, at_least: Severity) -> Self {
        Self {
            name,
            capacity,
            at_least,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets an alert wait, without waiting itself.
    pub(crate) fn push(&self, alert: &Arc<Alert>) -> Pushed {
        if alert.severity < self.at_least {
            return Pushed::Waits;
        }
        let mut state = self.state();
        let pushed = if state.waiting.len() < self.capacity && !state.is_over {
            state.waiting.push(alert);
            Pushed::Waits
        } else {
            let is_first = !mem::replace(&mut state.is_overflow_told, true);
            state.waiting.give_way(alert);
            state.missed += 1;
            state.all_missed += 1;
            Pushed::Dropped { is_first }
        };
        drop(state);
        self.changed.notify_all();
        pushed
    }

    /// The next alert, and how many were missed before it; waits for one. `None` if no more will come.
    pub(super) fn next(&self) -> Option<(Arc<Alert>, u64)> {
        let mut state = self.state();
        loop {
            let is_late = state.ends.is_some_and(|ends| ends <= Instant::now());
            if is_late || state.ends.is_some() && state.waiting.is_empty() {
                state.is_over = true;
                self.changed.notify_all();
                return None;
            }
            if let Some(alert) = state.waiting.pop() {
                state.is_busy = true;
                return Some((alert, state.missed));
            }
            state = self.wait(state, None);
        }
    }

    /// The alert was delivered, and so many missed ones were told with it; or it was not.
    pub(super) fn done(&self, delivered: Option<u64>) {
        let mut state = self.state();
        state.is_busy = false;
        match delivered {
            Some(told) => {
                state.missed = state.missed.saturating_sub(told);
                state.is_overflow_told = false;
            }
            None => {
                state.missed += 1;
                state.all_missed += 1;
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(crate) fn pause(&self, pause: Duration) -> bool {
        let until = later(pause);
        let mut state = self.state();
        loop {
            if state.ends.is_some_and(|ends| ends < until) {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            state = self.wait(state, Some(left));
        }
    }

    /// Waits until nothing waits any more; how many still do.
    pub(crate) fn flush(&self, until: Instant) -> usize {
        let mut state = self.state();
        loop {
            let waiting = state.waiting.len() + usize::from(state.is_busy);
            let left = until.saturating_duration_since(Instant::now());
            if waiting == 0 || left.is_zero() || state.is_over {
                return waiting;
            }
            state = self.wait(state, Some(left));
        }
    }

    /// No more alerts will come: those that wait may take so long.
    pub(crate) fn close(&self, until: Instant) {
        let mut state = self.state();
        let ends = state.ends.map_or(until, |ends| ends.min(until));
        state.ends = Some(ends);
        drop(state);
        self.changed.notify_all();
    }

    /// The thread ended, however it did.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    /// How many alerts the receiver did not get.
    pub(crate) fn missed_in_all(&self) -> u64 {
        self.state().all_missed
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        most: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match most {
            Some(most) => {
                let waited = self.changed.wait_timeout(state, most);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.changed.wait(state);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So much later, or in a day if that is more than can be told.
pub(crate) fn later(by: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(by)
        .unwrap_or(now + Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    panic::catch_unwind,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_core::Principal;
use bartizan_token::Fingerprint;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    breaker::Permit,
    budget::Budget,
    judge::{Judge, Refusal},
    lookup::Trouble,
};

pub(crate) type Verdict = Result<Principal, Refusal>;

/// The looks that are under way, and how many more there may be.
pub(crate) struct Traffic {
    flights: HashMap<Fingerprint, Flight>,
    pub(crate) budget: Budget,
}

struct Flight {
    landed: watch::Receiver<Option<Verdict>>,
    /// When there is no hope for it, by the monotonic clock: its runtime stands still.
    until: Duration,
    is_known: bool,
}

/// Waits for a look that is under way.
pub(crate) struct Waiter {
    pub(crate) token: Fingerprint,
    pub(crate) landed: watch::Receiver<Option<Verdict>>,
    pub(crate) seat: OwnedSemaphorePermit,
}

/// Room for those who wait. Tokens that were never good have three quarters of it, so that somebody
/// who makes them up takes no room from the others.
pub(crate) struct Seats {
    open: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl Traffic {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            flights: HashMap::new(),
            budget,
        }
    }

    /// The look that is under way for this token.
    pub(crate) fn find(
        &self,
        token: Fingerprint,
        now: Duration,
    ) -> Option<watch::Receiver<Option<Verdict>>> {
        let flight = self.flights.get(&token).filter(|f| now < f.until)?;
        Some(flight.landed.clone())
    }

    /// Whether there is room for one more of at most so many.
    pub(crate) fn has_room(&mut self, most: usize, is_known: bool, now: Duration) -> bool {
        let share = open_share(most);
        if self.flights.len() < share {
            return true;
        }
        self.flights.retain(|_, flight| now < flight.until);
        let strangers = self.flights.values().filter(|f| !f.is_known).count();
        self.flights.len() < most && (is_known || strangers < share)
    }

    /// Begins a look; what its end is announced by.
    pub(crate) fn begin(
        &mut self,
        token: Fingerprint,
        is_known: bool,
        until: Duration,
    ) -> watch::Sender<Option<Verdict>> {
        let (landed, waiting) = watch::channel(None);
        let flight = Flight {
            landed: waiting,
            until,
            is_known,
        };
        self.flights.insert(token, flight);
        landed
    }

    fn end(&mut self, token: Fingerprint, landed: &watch::Sender<Option<Verdict>>) {
        let ours = landed.subscribe();
        let is_ours = |flight: &Flight| flight.landed.same_channel(&ours);
        if self.flights.get(&token).is_some_and(is_ours) {
            self.flights.remove(&token);
        }
    }
}

impl Seats {
    pub(crate) fn new(seats: usize) -> Self {
        let open = open_share(seats);
        Self {
            open: Arc::new(Semaphore::new(open)),
            reserved: Arc::new(Semaphore::new(seats.saturating_sub(open))),
        }
    }

    pub(crate) fn take(&self, is_known: bool) -> Option<OwnedSemaphorePermit> {
        let take = |seats: &Arc<Semaphore>| Arc::clone(seats).try_acquire_owned().ok();
        take(&self.open).or_else(|| is_known.then(|| take(&self.reserved)).flatten())
    }
}

/// What of some room is for anybody; the rest is for tokens that were good before.
fn open_share(all: usize) -> usize {
    all.saturating_sub(all / 4)
}

/// The runtime that a look can run on, and a request wait on.
pub(crate) fn runtime() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    // That a runtime has no timer is told by a panic, and by nothing else.
    catch_unwind(|| drop(sleep(Duration::ZERO))).ok()?;
    Some(runtime)
}

/// Ends a look however its task ends.
pub(crate) struct Landing {
    pub(crate) judge: Arc<Judge>,
    pub(crate) token: Fingerprint,
    pub(crate) permit: Permit,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) landed: watch::Sender<Option<Verdict>>,
}

impl Landing {
    pub(crate) async fn fly(mut self, token: String) {
        let judge = Arc::clone(&self.judge);
        let look = timeout(judge.limits.timeout, judge.lookup.look_up(&token));
        let found = look
            .await
            .unwrap_or_else(|_| Err(Trouble::new("timed out")));
        self.verdict = Some(match found {
            Ok(verdict) => judge.note_verdict(self.token, self.permit, verdict),
            Err(trouble) => Err(judge.note_trouble(self.token, self.permit, trouble)),
        });
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let verdict = self.verdict.take().unwrap_or_else(|| {
            // Its runtime went away, which says nothing of provider and token.
            self.judge.breaker.passed_over(self.permit);
            Err(Refusal::shortly("the look was interrupted"))
        });
        // What was found is remembered by now, so nobody asks a second time in between.
        self.judge.traffic().end(self.token, &self.landed);
        self.landed.send_replace(Some(verdict));
    }
}

impl Judge {
    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

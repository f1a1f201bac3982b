use std::{
    collections::HashMap,
    panic::catch_unwind,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_token::{Fault, Fingerprint};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    Found, Interest, Lookup, Lookups, Refusal, Trouble, breakers::Permission, budget::Budget,
    interest::Stake, outcome::Outcome,
};

/// What a credential stands for, or why it is not believed.
pub type Verdict<F> = Result<F, Refusal>;

/// The looks that are under way, and how many more there may be.
pub(crate) struct Traffic<F> {
    flights: HashMap<Fingerprint, Flight<F>>,
    pub(crate) budget: Budget,
}

struct Flight<F> {
    landed: watch::Receiver<Option<Verdict<F>>>,
    interest: Interest,
    /// When there is no hope for it, by the monotonic clock: its runtime stands still.
    until: Duration,
    is_known: bool,
}

/// A place among those who wait for a look that is under way.
pub struct Waiter<F> {
    pub(crate) token: Fingerprint,
    pub(crate) landed: watch::Receiver<Option<Verdict<F>>>,
    pub(crate) stake: Stake,
    pub(crate) seat: OwnedSemaphorePermit,
}

/// Room for those who wait. Tokens that were never good have three quarters of it, so that somebody
/// who makes them up takes no room from the others.
pub(crate) struct Seats {
    open: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl<F: Found> Traffic<F> {
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
    ) -> Option<(watch::Receiver<Option<Verdict<F>>>, Stake)> {
        let flight = self.flights.get(&token).filter(|f| now < f.until)?;
        Some((flight.landed.clone(), flight.interest.join()))
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
        interest: Interest,
        until: Duration,
    ) -> watch::Sender<Option<Verdict<F>>> {
        let (landed, waiting) = watch::channel(None);
        let flight = Flight {
            landed: waiting,
            interest,
            until,
            is_known,
        };
        self.flights.insert(token, flight);
        landed
    }

    /// The look that is announced by this, unless it was given up and another one has begun.
    fn own(
        &self,
        token: Fingerprint,
        landed: &watch::Sender<Option<Verdict<F>>>,
    ) -> Option<&Flight<F>> {
        let ours = landed.subscribe();
        let flight = self.flights.get(&token)?;
        flight.landed.same_channel(&ours).then_some(flight)
    }

    /// Whether what it found counts: it was not given up.
    fn is_awaited(
        &self,
        token: Fingerprint,
        landed: &watch::Sender<Option<Verdict<F>>>,
        now: Duration,
    ) -> bool {
        let own = self.own(token, landed);
        own.is_some_and(|flight| now < flight.until)
    }

    fn end(&mut self, token: Fingerprint, landed: &watch::Sender<Option<Verdict<F>>>) {
        if self.own(token, landed).is_some() {
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

impl<F> std::fmt::Debug for Waiter<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter").finish_non_exhaustive()
    }
}

/// Whether code that waits here can give up after a time: whether it is inside a tokio runtime with a timer.
pub fn has_timer() -> bool {
    runtime().is_some()
}

/// The runtime that a look can run on, and a request wait on.
pub(crate) fn runtime() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    // That a runtime has no timer is told by a panic, and by nothing else.
    catch_unwind(|| drop(sleep(Duration::ZERO))).ok()?;
    Some(runtime)
}

/// Ends a look however its task ends.
pub(crate) struct Landing<L: Lookup> {
    pub(crate) lookups: Arc<Lookups<L>>,
    pub(crate) token: Fingerprint,
    pub(crate) permission: Permission,
    pub(crate) verdict: Option<Verdict<L::Found>>,
    pub(crate) landed: watch::Sender<Option<Verdict<L::Found>>>,
}

impl<L: Lookup> Landing<L> {
    pub(crate) async fn fly(mut self, question: L::Question, interest: Interest) {
        let lookups = Arc::clone(&self.lookups);
        let look = timeout(
            lookups.timeout,
            lookups.lookup.look_up(&question, &interest),
        );
        let found = look
            .await
            .unwrap_or_else(|_| Err(Trouble::new("timed out")));
        let Some(outcome) = self.noted(found) else {
            // Others may know better by now. It ends as one that was interrupted.
            return;
        };
        lookups.tell(outcome.news);
        self.verdict = Some(outcome.verdict);
    }

    /// Under one lock with the question whether it still counts, so that an older answer never takes
    /// the place of a newer one.
    fn noted(&self, found: Result<Result<L::Found, Fault>, Trouble>) -> Option<Outcome<L::Found>> {
        let lookups = &self.lookups;
        let traffic = lookups.traffic();
        let now = lookups.clock.monotonic();
        let is_awaited = traffic.is_awaited(self.token, &self.landed, now);
        is_awaited.then(|| lookups.note(self.token, self.permission, found))
    }
}

impl<L: Lookup> Drop for Landing<L> {
    fn drop(&mut self) {
        let verdict = self.verdict.take().unwrap_or_else(|| {
            // Its runtime went away or stood still, which says nothing of provider and token.
            self.lookups.breakers.passed_over(self.permission);
            Err(Refusal::shortly("the look was interrupted"))
        });
        // What was found is remembered by now, so nobody asks a second time in between.
        self.lookups.traffic().end(self.token, &self.landed);
        self.landed.send_replace(Some(verdict));
    }
}

impl<L: Lookup> Lookups<L> {
    pub(crate) fn traffic(&self) -> MutexGuard<'_, Traffic<L::Found>> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

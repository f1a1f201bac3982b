use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_core::{
    Clock, Events, Principal,
    auth::{Distrust, Identified, Revocations},
};
use bartizan_token::{Fingerprint, TokenConfigError};
use tokio::time::timeout;

use crate::{
    Found, Interest, Lookup, Refusal, Settings, Verdict, Waiter,
    breakers::Breakers,
    budget::{Budget, Network},
    flight::{Landing, Seats, Traffic, runtime},
    memory::{Memory, Recall},
};

/// Says what credentials stand for: from memory, or by asking, once for all who wait.
pub struct Lookups<L: Lookup> {
    pub(crate) layer: &'static str,
    pub(crate) lookup: L,
    pub(crate) memory: Memory<L::Found>,
    pub(crate) traffic: Mutex<Traffic<L::Found>>,
    pub(crate) seats: Seats,
    pub(crate) breakers: Breakers,
    pub(crate) timeout: Duration,
    max_lookups: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    revocations: Option<Revocations>,
}

/// Why no look is begun or joined.
enum Stay {
    /// Nothing newer is to be had than what is remembered.
    Unanswered(Refusal),
    /// Something newer is on its way, and only no room to wait for it.
    Unseated(Refusal),
}

impl From<Refusal> for Stay {
    fn from(refusal: Refusal) -> Self {
        Self::Unanswered(refusal)
    }
}

/// What is known of a credential without waiting.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Judgement<F> {
    /// All there is to know.
    Done(Verdict<F>),
    /// What [`Lookups::settled`] waits for.
    Wait(Waiter<F>),
}

/// A look that took so much longer than it may is on a runtime that nobody drives.
const STALLED: Duration = Duration::from_secs(1);

impl<L: Lookup> Lookups<L> {
    /// Nothing is asked yet. Where there is a list of revocations, it is looked into each time.
    ///
    /// # Errors
    ///
    /// If the system has no randomness, or so many credentials can't be remembered.
    pub fn new(
        lookup: L,
        settings: &Settings,
        clock: Arc<dyn Clock>,
        events: Events,
        revocations: Option<Revocations>,
    ) -> Result<Self, TokenConfigError> {
        let patience = settings.timeout.saturating_add(STALLED);
        let (failures, pause) = (settings.breaker_failures, settings.breaker_pause);
        Ok(Self {
            layer: settings.layer,
            lookup,
            memory: Memory::new(settings.capacity, settings.ages, Arc::clone(&clock))?,
            traffic: Mutex::new(Traffic::new(Budget::per_minute(settings.new_per_minute))),
            seats: Seats::new(settings.max_waiting),
            breakers: Breakers::new(failures, pause, patience),
            timeout: settings.timeout,
            max_lookups: settings.max_lookups,
            clock,
            events,
            revocations,
        })
    }

    /// Judges a credential that comes from this address, if that is known. Its form was checked before.
    pub fn judge(
        self: &Arc<Self>,
        credential: &str,
        question: impl FnOnce() -> L::Question,
        from: Option<IpAddr>,
    ) -> Judgement<L::Found> {
        let fingerprint = self.memory.fingerprint(credential);
        let is_known = match self.memory.recall(fingerprint) {
            Recall::Good(found) => return Judgement::Done(self.unless_revoked(found)),
            Recall::Bad(refusal) => return Judgement::Done(self.or_stale(fingerprint, refusal)),
            Recall::Nothing { is_known } => is_known,
        };
        match self.depart(question, fingerprint, is_known, from) {
            Ok(waiter) => Judgement::Wait(waiter),
            Err(Stay::Unseated(refusal)) => Judgement::Done(Err(refusal)),
            Err(Stay::Unanswered(refusal)) => Judgement::Done(self.or_stale(fingerprint, refusal)),
        }
    }

    /// What is remembered of a credential, and holds: for one whose question takes time to put.
    pub fn remembered(&self, credential: &str) -> Option<Verdict<L::Found>> {
        let fingerprint = self.memory.fingerprint(credential);
        match self.memory.recall(fingerprint) {
            Recall::Good(found) => Some(self.unless_revoked(found)),
            Recall::Bad(refusal) => Some(self.or_stale(fingerprint, refusal)),
            Recall::Nothing { .. } => None,
        }
    }

    /// [`judge`](Self::judge)s, and waits if it has to.
    pub async fn verdict(
        self: &Arc<Self>,
        credential: &str,
        question: impl FnOnce() -> L::Question,
        from: Option<IpAddr>,
    ) -> Verdict<L::Found> {
        match self.judge(credential, question, from) {
            Judgement::Done(verdict) => verdict,
            Judgement::Wait(waiter) => self.settled(waiter).await,
        }
    }

    /// Waits for a look; what it found.
    pub async fn settled(&self, waiter: Waiter<L::Found>) -> Verdict<L::Found> {
        let Waiter {
            token,
            mut landed,
            seat,
            stake,
        } = waiter;
        let at_most = self.timeout.saturating_add(STALLED);
        let landed = timeout(at_most, landed.wait_for(Option::is_some)).await;
        let verdict = match landed {
            Ok(Ok(verdict)) => verdict.clone(),
            _ => None,
        };
        drop((seat, stake));
        match verdict.unwrap_or_else(|| Err(Refusal::shortly("the look did not end"))) {
            Ok(found) => self.unless_revoked(found),
            Err(refusal) => self.or_stale(token, refusal),
        }
    }

    /// Joins the look that is under way for this token, or starts one.
    fn depart(
        self: &Arc<Self>,
        question: impl FnOnce() -> L::Question,
        fingerprint: Fingerprint,
        is_known: bool,
        from: Option<IpAddr>,
    ) -> Result<Waiter<L::Found>, Stay> {
        let runtime = runtime();
        let runtime = runtime.ok_or(Refusal::shortly("not inside a tokio runtime with a timer"))?;
        let now = self.clock.monotonic();
        let mut traffic = self.traffic();
        let under_way = traffic.find(fingerprint, now);
        let Some(seat) = self.seats.take(is_known) else {
            let refusal = Refusal::shortly("too many requests wait");
            return Err(match under_way {
                Some(_) => Stay::Unseated(refusal),
                None => Stay::Unanswered(refusal),
            });
        };
        let wait = |(landed, stake)| Waiter {
            token: fingerprint,
            landed,
            stake,
            seat,
        };
        if let Some(landed) = under_way {
            return Ok(wait(landed));
        }
        if !traffic.has_room(self.max_lookups, is_known, now) {
            return Err(Refusal::shortly("too many tokens are being looked up").into());
        }
        let network = from.map(Network::of);
        if !is_known && let Err(spent) = traffic.budget.check(now, network) {
            drop(traffic);
            return Err(self.note_spent_budget(spent).into());
        }
        let resting = |after| Refusal::Down("the provider is left alone".into(), after);
        let permission = self.breakers.permit(now, is_known).map_err(resting)?;
        if !is_known {
            traffic.budget.take(now, network);
        }
        let at_most = self.timeout.saturating_add(STALLED);
        let interest = Interest::new();
        let until = now.saturating_add(at_most);
        let landed = traffic.begin(fingerprint, is_known, interest.clone(), until);
        // A runtime that is shutting down drops the task here.
        drop(traffic);
        let waiter = wait((landed.subscribe(), interest.join()));
        let landing = Landing {
            lookups: Arc::clone(self),
            token: fingerprint,
            permission,
            verdict: None,
            landed,
        };
        runtime.spawn(landing.fly(question(), interest));
        Ok(waiter)
    }

    /// What is known of the token by memory, where nothing newer is to be had.
    fn or_stale(&self, token: Fingerprint, refusal: Refusal) -> Verdict<L::Found> {
        let is_down = matches!(refusal, Refusal::Down(..));
        match is_down.then(|| self.memory.stale(token)).flatten() {
            Some(found) => self.unless_revoked(found),
            None => Err(refusal),
        }
    }

    fn unless_revoked(&self, found: L::Found) -> Verdict<L::Found> {
        let Some(list) = &self.revocations else {
            return Ok(found);
        };
        match list.judge(found.principal()) {
            Ok(()) => Ok(found),
            Err(Distrust::Revoked(fault)) => Err(Refusal::Fault(fault)),
            Err(_) => Err(Refusal::shortly("what was revoked elsewhere is not known")),
        }
    }

    /// What a credential proves, for as long as it is not revoked.
    pub fn identified(&self, principal: Principal) -> Identified {
        let identified = Identified::new(principal);
        match &self.revocations {
            Some(list) => identified.with_revocations(list.clone()),
            None => identified,
        }
    }
}

impl<L: Lookup> fmt::Debug for Lookups<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups")
            .field("layer", &self.layer)
            .finish_non_exhaustive()
    }
}

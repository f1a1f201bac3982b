use std::{borrow::Cow, sync::Arc, time::Duration};

use bartizan_core::Clock;
use bartizan_token::{Fault, Fingerprint, TokenCache, TokenConfigError};

use crate::{Found, Refusal};

/// What was found of credentials. Good and bad ones have a memory each, so that no number of bad ones
/// pushes out a good one.
pub(crate) struct Memory<F> {
    good: TokenCache<Good<F>>,
    bad: TokenCache<Bad>,
    ages: Ages,
    clock: Arc<dyn Clock>,
}

/// How long something is remembered; zero for not at all.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings, all of which are given"
)]
pub struct Ages {
    /// That a credential is good.
    pub good: Duration,
    /// How much longer a good one is believed while nothing can be found out.
    pub stale: Duration,
    /// That a credential is bad.
    pub bad: Duration,
}

/// Times are by the monotonic clock.
#[derive(Clone)]
struct Good<F> {
    found: F,
    until: Duration,
}

#[derive(Clone)]
struct Bad {
    why: Why,
    until: Duration,
}

#[derive(Clone)]
enum Why {
    Fault(Fault),
    Down(Cow<'static, str>),
}

/// What is remembered of a token.
pub(crate) enum Recall<F> {
    Good(F),
    Bad(Refusal),
    /// Nothing that holds; whether it was good once.
    Nothing {
        is_known: bool,
    },
}

/// Of so many good tokens one bad one is remembered.
const GOOD_TO_BAD: usize = 8;

impl<F: Found> Memory<F> {
    pub(crate) fn new(
        capacity: usize,
        ages: Ages,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TokenConfigError> {
        let missing = || TokenConfigError::missing("token_cache_capacity");
        let bad = capacity.div_ceil(GOOD_TO_BAD);
        Ok(Self {
            good: TokenCache::new(capacity)?.ok_or_else(missing)?,
            bad: TokenCache::new(bad)?.ok_or_else(missing)?,
            ages,
            clock,
        })
    }

    pub(crate) fn fingerprint(&self, token: &str) -> Fingerprint {
        self.good.fingerprint(token)
    }

    pub(crate) fn recall(&self, token: Fingerprint) -> Recall<F> {
        let now = self.clock.monotonic();
        let good = self.good(token);
        let is_known = good.is_some();
        if let Some(good) = good.filter(|good| now < good.until) {
            return Recall::Good(good.found);
        }
        match self.bad.find(token) {
            Some(bad) if now < bad.until => Recall::Bad(match bad.why {
                Why::Fault(fault) => Refusal::Fault(fault),
                Why::Down(reason) => Refusal::Down(reason, bad.until.saturating_sub(now)),
            }),
            Some(_) => {
                self.bad.forget(token);
                Recall::Nothing { is_known }
            }
            None => Recall::Nothing { is_known },
        }
    }

    /// A token that was good, and that may still be believed for want of anything newer.
    pub(crate) fn stale(&self, token: Fingerprint) -> Option<F> {
        if self.ages.good.is_zero() {
            return None;
        }
        let now = self.clock.monotonic();
        let good = self.good(token)?;
        let is_fresh_enough = now < good.until.saturating_add(self.ages.stale);
        is_fresh_enough.then_some(good.found)
    }

    /// Never past its own expiry.
    fn good(&self, token: Fingerprint) -> Option<Good<F>> {
        let good = self.good.find(token)?;
        let wall = || self.clock.wall();
        let end = good.found.principal().expires_at();
        if end.is_some_and(|end| end <= wall()) {
            self.good.forget(token);
            return None;
        }
        Some(good)
    }

    /// Even where a good token is asked about every time, it is remembered that it was good.
    pub(crate) fn accept(&self, token: Fingerprint, found: F) {
        let until = self.clock.monotonic().saturating_add(self.ages.good);
        let bytes = found.bytes();
        self.bad.forget(token);
        self.good.remember(token, bytes, Good { found, until });
    }

    pub(crate) fn refuse(&self, token: Fingerprint, fault: Fault) {
        self.good.forget(token);
        self.remember_bad(token, Why::Fault(fault), self.ages.bad);
    }

    /// It was not the provider that kept us from finding out: for how long nobody tries again.
    pub(crate) fn put_off(
        &self,
        token: Fingerprint,
        reason: &str,
        wish: Option<Duration>,
    ) -> Duration {
        let age = wish.map_or(self.ages.bad, |wish| wish.max(self.ages.bad));
        self.remember_bad(token, Why::Down(reason.to_owned().into()), age);
        age
    }

    pub(crate) fn forget_good(&self, token: Fingerprint) {
        self.good.forget(token);
    }

    fn remember_bad(&self, token: Fingerprint, why: Why, age: Duration) {
        if !self.ages.bad.is_zero() {
            let until = self.clock.monotonic().saturating_add(age);
            self.bad.remember(token, 0, Bad { why, until });
        }
    }
}

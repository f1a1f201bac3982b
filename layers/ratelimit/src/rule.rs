use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bartizan_core::printable;
use http::HeaderValue;

#[cfg(feature = "redis")]
use crate::Outage;
use crate::{
    Cost, Quota, RateLimitConfigError, Tier,
    by::{Part, Prefixes},
    fields,
    keys::{KeyMaker, Mask},
    quota::MOST,
    tier::Limit,
};

/// A tier, made up for decisions.
#[derive(Debug)]
pub(crate) struct Rule {
    /// As header fields name it.
    pub(crate) name: Box<str>,
    /// The tool, for a tier of one.
    pub(crate) tool: Option<Box<str>>,
    pub(crate) limit: Limit,
    /// Nanoseconds that its buckets can lack at most.
    pub(crate) most_owed: u64,
    pub(crate) per_bytes: Option<NonZeroU32>,
    pub(crate) recipe: Recipe,
    /// How its member of a `RateLimit` field begins.
    pub(crate) member: Box<str>,
    /// The `RateLimit-Policy` field; `None` for a tier that is nobody's business.
    pub(crate) policy: Option<HeaderValue>,
    pub(crate) is_shadow: bool,
    pub(crate) is_looked_at: bool,
    pub(crate) is_implied: bool,
    /// Why it refuses, to the operator.
    pub(crate) reason: String,
    /// What makes it the same tier in the next version of the limits.
    pub(crate) identity: String,
    pub(crate) mask: Mask,
    /// Of one that a fleet shares.
    #[cfg(feature = "redis")]
    pub(crate) outage: Option<Outage>,
    pub(crate) counters: Arc<Counters>,
}

/// What a key is made of.
#[derive(Debug, Clone)]
pub(crate) enum Recipe {
    /// Of nothing: there is one bucket.
    Single,
    /// The most usual one.
    Account,
    /// That of the first place.
    Address(Prefixes),
    Parts(Box<[Part]>),
}

/// What a tier has counted, over all versions of the limits.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    asked: AtomicU64,
    refused: AtomicU64,
    open: AtomicU64,
    /// When something was last told of it, in nanoseconds and one; 0 if nothing was.
    told_at: AtomicU64,
}

impl Rule {
    /// A tier under a number that no tier had before.
    pub(crate) fn new(
        tier: &Tier,
        number: u64,
        keys: &KeyMaker,
    ) -> Result<Self, RateLimitConfigError> {
        let parts = tier.parts();
        let recipe = match parts.as_slice() {
            [] => Recipe::Single,
            [Part::Account] => Recipe::Account,
            [Part::Address(prefixes)] => Recipe::Address(*prefixes),
            _ => Recipe::Parts(parts.into()),
        };
        let is_told = !tier.is_hidden && !tier.is_shadow && !tier.is_single();
        let policy = fields::policy(&tier.name, tier.limit)?;
        let (name, used_up) = (
            &tier.name,
            match tier.limit {
                Limit::Rate(_) => "is used up",
                Limit::Open(_) => "has as many open as it may",
            },
        );
        let reason = match tier.only_tool() {
            Some(tool) => format!("tier `{name}` of `{}` {used_up}", printable(tool, 100)),
            None => format!("tier `{name}` {used_up}"),
        };
        Ok(Self {
            name: tier.name.clone(),
            tool: tier.only_tool().map(Into::into),
            limit: tier.limit,
            most_owed: most_owed(tier.limit, &tier.cost, tier.is_looked_at),
            per_bytes: tier.cost.per_bytes(),
            recipe,
            member: format!("\"{name}\";r=").into(),
            policy: is_told.then_some(policy),
            is_shadow: tier.is_shadow,
            is_looked_at: tier.is_looked_at,
            is_implied: tier.is_implied,
            reason,
            identity: tier.identity(),
            mask: keys.mask(number),
            #[cfg(feature = "redis")]
            outage: None,
            counters: Arc::default(),
        })
    }

    /// The same tier, whose buckets a fleet shares.
    #[cfg(feature = "redis")]
    pub(crate) fn shared(
        self,
        tier: &Tier,
        outage: Outage,
        keys: &KeyMaker,
        layer: &str,
    ) -> Result<Self, RateLimitConfigError> {
        let Limit::Rate(quota) = self.limit else {
            let problem = "counts open requests, which are each process's own";
            return Err(RateLimitConfigError::new(
                "shared tier",
                &tier.name,
                problem,
            ));
        };
        let limit = Limit::Rate(quota.in_micros());
        let most_owed = most_owed(limit, &tier.cost, tier.is_looked_at);
        if most_owed > TEN_YEARS {
            let problem = "is full only after more than ten years, for which nobody keeps buckets";
            return Err(RateLimitConfigError::new(
                "shared tier",
                &tier.name,
                problem,
            ));
        }
        Ok(Self {
            limit,
            most_owed,
            policy: match &self.policy {
                Some(_) => Some(fields::policy(&tier.name, limit)?),
                None => None,
            },
            mask: keys.mask_of(&format!("{layer} {}", tier.fleet_identity())),
            outage: Some(outage),
            ..self
        })
    }

    /// The same tier in another version: its buckets and what it has counted stay.
    pub(crate) fn continues(self, before: &Self) -> Self {
        // The name of a shared one's buckets is the same in all processes.
        #[cfg(feature = "redis")]
        let is_local = self.outage.is_none() && before.outage.is_none();
        #[cfg(not(feature = "redis"))]
        let is_local = true;
        Self {
            mask: if is_local { before.mask } else { self.mask },
            counters: Arc::clone(&before.counters),
            ..self
        }
    }

    /// Of a call that costs so much but for its body; 0 if it is only looked at.
    #[inline]
    pub(crate) fn cost(&self, each: u32, body_bytes: usize) -> u32 {
        match (self.is_looked_at, self.per_bytes) {
            (true, _) => 0,
            (false, None) => each,
            (false, Some(bytes)) => {
                let begun = body_bytes.div_ceil(bytes.get() as usize);
                let begun = u32::try_from(begun).unwrap_or(MOST);
                each.saturating_add(begun).min(MOST)
            }
        }
    }

    /// Whether a fleet shares its buckets.
    pub(crate) fn is_shared(&self) -> bool {
        #[cfg(feature = "redis")]
        return self.outage.is_some();
        #[cfg(not(feature = "redis"))]
        return false;
    }

    /// A quota that is not the tier's own, as its buckets count it.
    pub(crate) fn counted(&self, quota: Quota) -> Quota {
        #[cfg(feature = "redis")]
        if self.is_shared() {
            return quota.in_micros();
        }
        quota
    }

    pub(crate) fn is_single(&self) -> bool {
        matches!(self.recipe, Recipe::Single)
    }
}

/// A full bucket's worth, and what may be taken beyond it: another burst where it is charged for what turned
/// out later, or what the dearest call costs more than the burst.
fn most_owed(limit: Limit, cost: &Cost, is_looked_at: bool) -> u64 {
    let Limit::Rate(quota) = limit else {
        return 0;
    };
    let most = cost.most().max(quota.burst_size());
    let debt = quota
        .interval()
        .saturating_mul(u64::from(most - quota.burst_size()));
    let debt = if is_looked_at {
        debt.max(quota.full())
    } else {
        debt
    };
    quota.full().saturating_add(debt)
}

/// What Redis counts exactly, with room to spare.
#[cfg(feature = "redis")]
const TEN_YEARS: u64 = 3650 * 86_400 * 1_000_000_000;

/// Something is told of a tier once in so many nanoseconds.
const TOLD_EVERY: u64 = 60_000_000_000;

impl Counters {
    pub(crate) fn count(&self, refused: bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if refused {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that asked, and those of them that it refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let refused = self.refused.load(Ordering::Relaxed);
        (self.asked.load(Ordering::Relaxed).max(refused), refused)
    }

    pub(crate) fn enter(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests that are open, of all keys.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether it is time to tell something of it again; of all who ask at once, one is told so.
    pub(crate) fn is_to_be_told(&self, now: u64) -> bool {
        let told = self.told_at.load(Ordering::Relaxed);
        let is_due = told == 0 || now >= (told - 1).saturating_add(TOLD_EVERY);
        is_due
            && self
                .told_at
                .compare_exchange(
                    told,
                    now.saturating_add(1),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use bartizan_core::{CallLimits, Clock, Current, Event, InForce, Severity};

#[cfg(feature = "redis")]
use crate::fleet::Fleet;
use crate::{
    LimitsSnapshot, RateLimitConfigError, TierStatistics, arithmetic,
    asked::{Ask, Asked},
    keys::KeyMaker,
    limiter::{self, Admitted, Exhausted, LATEST, Permit},
    rule::Rule,
    table::Table,
    tier::Limit,
    version::{Draft, Limits},
};

/// The limits of one place: what is in force, and the buckets, which outlast it.
pub(crate) struct Shared {
    current: Current<Limits>,
    /// One change after another.
    change: Mutex<()>,
    table: Arc<Table>,
    keys: KeyMaker,
    clock: Arc<dyn Clock>,
    /// Tiers that ever were, for a mask of their own each.
    numbers: AtomicU64,
    layer: &'static str,
    max_keys: usize,
    call_limits: CallLimits,
    #[cfg(feature = "redis")]
    fleet: Option<Fleet>,
}

impl Shared {
    pub(crate) fn new(draft: Draft, clock: Arc<dyn Clock>) -> Result<Self, RateLimitConfigError> {
        #[cfg(feature = "redis")]
        let fleet = draft.sharing.fleet.clone();
        #[cfg(feature = "redis")]
        let keys = match &fleet {
            Some(fleet) => fleet.keys().clone(),
            None => KeyMaker::new()?,
        };
        #[cfg(not(feature = "redis"))]
        let keys = KeyMaker::new()?;
        let numbers = AtomicU64::new(0);
        let (max_keys, call_limits) = (draft.max_keys, draft.call_limits);
        let layer = draft.layer();
        let limits = Limits::new(draft, &keys, &numbers, None)?;
        Ok(Self {
            current: Current::new(limits),
            change: Mutex::default(),
            table: Arc::new(Table::new(max_keys)),
            keys,
            clock,
            numbers,
            layer,
            max_keys,
            call_limits,
            #[cfg(feature = "redis")]
            fleet,
        })
    }

    /// Puts another version in force. Tiers that go on under the same name and key keep their buckets.
    pub(crate) fn swap(&self, draft: Draft) -> Result<(), RateLimitConfigError> {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let fixed = "cannot change while the limits are in force";
        if draft.max_keys != self.max_keys {
            return Err(RateLimitConfigError::new("max_keys", draft.max_keys, fixed));
        }
        if draft.call_limits != self.call_limits {
            return Err(RateLimitConfigError::new("setting", "call_limits", fixed));
        }
        #[cfg(feature = "redis")]
        if !Fleet::are_same(draft.sharing.fleet.as_ref(), self.fleet.as_ref()) {
            return Err(RateLimitConfigError::new("setting", "fleet", fixed));
        }
        let before = self.current.load();
        let next = Limits::new(draft, &self.keys, &self.numbers, Some(&before))?;
        let detail = format!("version {} of the limits is in force", next.version);
        let events = next.events.clone();
        self.current.store(next);
        self.table.drop_full(self.now());
        events.emit(&Event::new(
            self.layer,
            Severity::Info,
            "limits_swapped",
            detail,
        ));
        Ok(())
    }

    /// What is in force. Whoever decides by it does so to the end.
    #[inline]
    pub(crate) fn current(&self) -> InForce<'_, Limits> {
        self.current.load()
    }

    pub(crate) fn keys(&self) -> &KeyMaker {
        &self.keys
    }

    pub(crate) fn call_limits(&self) -> CallLimits {
        self.call_limits
    }

    /// Decides what was asked, and tells of what is only in shadow.
    #[inline]
    pub(crate) fn decide<'l>(
        &self,
        limits: &'l Limits,
        asked: &mut Asked,
    ) -> Result<(Admitted<'l>, Option<Box<Permit>>), Exhausted<'l>> {
        let now = self.now();
        let admitted = limiter::decide(&self.table, &limits.rules, asked, now)?;
        let permit = self.permit(limits, asked);
        self.tell_of_shadow(limits, &admitted, now);
        Ok((admitted, permit))
    }

    /// What an admitted request holds while it is open.
    #[inline]
    pub(crate) fn permit(&self, limits: &Limits, asked: &Asked) -> Option<Box<Permit>> {
        match asked.open.is_empty() {
            true => None,
            false => Permit::of(&self.table, &limits.rules, asked),
        }
    }

    #[inline]
    pub(crate) fn tell_of_shadow(&self, limits: &Limits, admitted: &Admitted<'_>, now: u64) {
        if let Some(rule) = admitted.would_refuse
            && rule.counters.is_to_be_told(now)
        {
            let (asked, refused) = rule.counters.counts();
            let detail = format!(
                "tier `{}` in shadow would have refused {refused} of {asked} requests so far",
                rule.name
            );
            let event = Event::new(self.layer, Severity::Info, "would_refuse", detail);
            limits.events.emit(&event);
        }
    }

    /// Charges a bucket for what turned out later.
    pub(crate) fn charge_anyway(&self, ask: Ask) {
        limiter::charge_anyway(&self.table, ask, self.now());
    }

    pub(crate) fn statistics(&self) -> Vec<TierStatistics> {
        let (limits, now) = (self.current(), self.now());
        self.count_all(&limits, now)
    }

    pub(crate) fn snapshot(&self) -> LimitsSnapshot {
        let limits = self.current.load();
        let now = self.now();
        LimitsSnapshot {
            version: limits.version,
            keys: self.table.keys(),
            max_keys: self.table.max_keys(),
            tiers: self.count_all(&limits, now),
            #[cfg(feature = "redis")]
            fleet: self.fleet.as_ref().map(Fleet::snapshot),
        }
    }

    fn count_all(&self, limits: &Limits, now: u64) -> Vec<TierStatistics> {
        let is_of_interest = |rule: &&Rule| !rule.is_implied || rule.counters.counts().0 > 0;
        let rules = limits.rules.iter().filter(is_of_interest);
        rules.map(|rule| self.count_of(rule, now)).collect()
    }

    fn count_of(&self, rule: &Rule, now: u64) -> TierStatistics {
        let (total, rejected) = rule.counters.counts();
        let (cell, open) = self.table.single(rule.mask.fixed());
        let (per_minute, burst, left) = match rule.limit {
            Limit::Rate(quota) => {
                let owed = arithmetic::owed(cell.unwrap_or(0), rule.most_owed, now);
                let left = match arithmetic::judge(quota, 1, owed, now) {
                    Ok(charge) => charge.remaining(quota) + 1,
                    Err(_) => 0,
                };
                (60e9 / quota.interval() as f64, quota.burst_size(), left)
            }
            Limit::Open(most) => (0.0, most, most.saturating_sub(open)),
        };
        TierStatistics {
            tier: rule.name.to_string(),
            tool: rule.tool.as_deref().map(str::to_owned),
            requests_per_minute: per_minute,
            burst_size: burst,
            current_tokens: (rule.is_single() && !rule.is_shared()).then_some(left),
            open: matches!(rule.limit, Limit::Open(_)).then(|| rule.counters.open()),
            shadow: rule.is_shadow,
            total_requests: total,
            rejected_requests: rejected,
            success_rate: match total {
                0 => 100.0,
                _ => 100.0 * (total - rejected) as f64 / total as f64,
            },
        }
    }

    #[cfg(test)]
    pub(crate) fn ids(&self) -> Vec<crate::keys::Id> {
        self.table.ids()
    }

    #[cfg(feature = "redis")]
    pub(crate) fn fleet(&self) -> Option<&Fleet> {
        self.fleet.as_ref()
    }

    #[cfg(feature = "redis")]
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn now(&self) -> u64 {
        let nanos = nanos(self.clock.monotonic());
        nanos.min(LATEST)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("current", &*self.current.load())
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

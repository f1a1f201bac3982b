use std::{cmp::Ordering, sync::Arc, time::Duration};

use bartizan_core::Clock;

use crate::{
    Quota, RateLimitConfigError, TierStatistics,
    arithmetic::{self, Charge, Wait},
    keys::{KeyMaker, Owner},
    table::{Ask, Cell, MOST_CELLS, Place, Table},
    tier::Tier,
};

/// Tiers that are decided together.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) tiers: Tiers,
    pub(crate) keys: KeyMaker,
    pub(crate) table: Table,
    clock: Arc<dyn Clock>,
}

pub(crate) type Tiers = Vec<Tier>;

/// A clock that shows more, some 146 years, stands still for us: sums with the slowest and largest
/// quota stay inside 64 bits, and no bucket is refilled by mistake.
pub(crate) const LATEST: u64 = 1 << 62;

/// How an admitted request stands with the tier that is nearest to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'t> {
    pub(crate) tier: &'t Tier,
    /// The tier's, unless the credential says its own.
    pub(crate) quota: Quota,
    /// Requests that are left.
    pub(crate) remaining: u32,
    /// Nanoseconds until there is one more.
    pub(crate) until_more: u64,
    /// Nanoseconds until the bucket is full.
    pub(crate) until_full: u64,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exhausted<'t> {
    /// The tier that is waited for longest.
    pub(crate) tier: &'t Tier,
    /// The same, of those that are told about.
    pub(crate) told: Option<Standing<'t>>,
    /// After this long every tier admits.
    pub(crate) wait: Duration,
}

/// The cells that a request takes from, at most [`MOST_CELLS`].
#[derive(Debug)]
pub(crate) struct Asked {
    asks: [Ask; MOST_CELLS],
    count: usize,
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self {
            asks: [Ask::new((usize::MAX, Place::Single), false); MOST_CELLS],
            count: 0,
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, cell: Cell) {
        self.add(Ask::new(cell, true));
    }

    /// The same by another quota than the tier's.
    pub(crate) fn take_by(&mut self, cell: Cell, quota: Quota) {
        self.add(Ask::new(cell, true).by(quota));
    }

    /// Only asks whether there is a request left.
    pub(crate) fn look(&mut self, cell: Cell) {
        self.add(Ask::new(cell, false));
    }

    #[inline]
    fn add(&mut self, ask: Ask) {
        if let Some(place) = self.asks.get_mut(self.count) {
            *place = ask;
            self.count += 1;
        }
    }

    fn asks(&mut self) -> &mut [Ask] {
        self.asks.get_mut(..self.count).unwrap_or_default()
    }
}

impl Limiter {
    pub(crate) fn new(
        tiers: Tiers,
        max_keys: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RateLimitConfigError> {
        Ok(Self {
            table: Table::new(tiers.len(), max_keys),
            keys: KeyMaker::new(tiers.len())?,
            tiers,
            clock,
        })
    }

    /// The owner's bucket of a tier.
    #[inline]
    pub(crate) fn cell(&self, tier: usize, owner: &Owner) -> Cell {
        (tier, Place::Keyed(self.keys.key(tier, owner)))
    }

    /// Asks every cell, and charges all of them or none.
    pub(crate) fn decide(&self, asked: &mut Asked) -> Result<Option<Standing<'_>>, Exhausted<'_>> {
        let now = self.now();
        let asks = asked.asks();
        let mut held = self.table.hold(asks, now);
        let mut nearest: Option<Near<'_>> = None;
        let mut exhausted: Option<Exhausted<'_>> = None;
        for ask in &mut *asks {
            let Some(tier) = self.tiers.get(ask.cell.0) else {
                continue;
            };
            let quota = ask.quota.unwrap_or(tier.quota);
            match arithmetic::judge(quota, ask.value, now) {
                Ok(charge) if ask.is_charged => {
                    ask.value = Some(charge.next);
                    let near = Near {
                        tier,
                        quota,
                        charge,
                    };
                    if tier.policy.is_some()
                        && nearest.is_none_or(|other| near.is_before(other, now))
                    {
                        nearest = Some(near);
                    }
                }
                Ok(_) => {}
                Err(Wait(nanos)) => {
                    tier.count(true);
                    let more = Exhausted::of(tier, quota, ask, nanos, now);
                    exhausted = Some(exhausted.map_or(more, |first| first.or(more)));
                }
            }
        }
        if let Some(exhausted) = exhausted {
            return Err(exhausted);
        }
        for ask in asks.iter().filter(|ask| ask.is_charged) {
            held.write(ask);
        }
        drop(held);
        for tier in asks.iter().filter_map(|ask| self.tiers.get(ask.cell.0)) {
            tier.count(false);
        }
        Ok(nearest.map(|near| near.standing(now)))
    }

    /// Charges a cell for what turned out later, whatever is left in it.
    pub(crate) fn charge_anyway(&self, cell: Cell) {
        let Some(tier) = self.tiers.get(cell.0) else {
            return;
        };
        let now = self.now();
        let mut asked = [Ask::new(cell, true)];
        let mut held = self.table.hold(&mut asked, now);
        for ask in &mut asked {
            ask.value = Some(arithmetic::charge_anyway(tier.quota, ask.value, now));
            held.write(ask);
        }
    }

    pub(crate) fn statistics(&self) -> Vec<TierStatistics> {
        let now = self.now();
        let tiers = self.tiers.iter().enumerate();
        tiers
            .map(|(index, tier)| (index, tier, tier.counts()))
            .filter(|(_, tier, (total, _))| !tier.is_implied || *total > 0)
            .map(|(index, tier, (total, rejected))| {
                let left = || match arithmetic::judge(tier.quota, self.table.single(index), now) {
                    Ok(charge) => charge.remaining + 1,
                    Err(_) => 0,
                };
                TierStatistics {
                    tier: tier.name,
                    tool: tier.tool.as_deref().map(str::to_owned),
                    requests_per_minute: 60e9 / tier.quota.interval() as f64,
                    burst_size: tier.quota.burst_size(),
                    current_tokens: tier.is_single.then(left),
                    total_requests: total,
                    rejected_requests: rejected,
                    success_rate: match total {
                        0 => 100.0,
                        _ => 100.0 * (total - rejected) as f64 / total as f64,
                    },
                }
            })
            .collect()
    }

    fn now(&self) -> u64 {
        let nanos = self.clock.monotonic().as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).min(LATEST)
    }
}

/// What an admitted request would leave in a tier.
#[derive(Clone, Copy)]
struct Near<'t> {
    tier: &'t Tier,
    quota: Quota,
    charge: Charge,
}

impl<'t> Near<'t> {
    /// Whether fewer requests are left in it than in the other, or for longer.
    fn is_before(self, other: Self, now: u64) -> bool {
        match self.charge.remaining.cmp(&other.charge.remaining) {
            Ordering::Equal => self.until_more(now) > other.until_more(now),
            fewer => fewer.is_lt(),
        }
    }

    fn until_more(self, now: u64) -> u64 {
        self.charge.until_more(self.quota, now)
    }

    fn standing(self, now: u64) -> Standing<'t> {
        Standing {
            tier: self.tier,
            quota: self.quota,
            remaining: self.charge.remaining,
            until_more: self.until_more(now),
            until_full: self.charge.next.saturating_sub(now),
        }
    }
}

impl<'t> Exhausted<'t> {
    fn of(tier: &'t Tier, quota: Quota, ask: &Ask, nanos: u64, now: u64) -> Self {
        let standing = Standing {
            tier,
            quota,
            remaining: 0,
            until_more: nanos,
            until_full: ask.value.unwrap_or(now).saturating_sub(now),
        };
        Self {
            tier,
            told: tier.policy.is_some().then_some(standing),
            wait: Duration::from_nanos(nanos),
        }
    }

    /// Both together: of each part, the one that is waited for longest.
    fn or(self, other: Self) -> Self {
        let later =
            |standing: &Standing<'_>| self.told.is_none_or(|t| standing.until_more > t.until_more);
        let told = other.told.filter(later).or(self.told);
        let longest = if other.wait > self.wait { other } else { self };
        Self { told, ..longest }
    }
}

use std::{cmp::Reverse, sync::Arc, time::Duration};

use bartizan_core::Clock;

use crate::{
    RateLimitConfigError, TierStatistics,
    arithmetic::{self, Wait},
    keys::{KeyMaker, Owner},
    table::{Cell, MOST_CELLS, Place, Table},
    tier::Tier,
};

/// Tiers that are decided together.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) tiers: Tiers,
    pub(crate) keys: KeyMaker,
    table: Table,
    clock: Arc<dyn Clock>,
}

pub(crate) type Tiers = Vec<Tier>;

/// A clock that shows more, some 146 years, stands still for us: sums with the slowest and largest
/// quota stay inside 64 bits, and no bucket is refilled by mistake.
pub(crate) const LATEST: u64 = 1 << 62;

/// How an admitted request stands with the tier that is nearest to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) tier: usize,
    /// Requests that are left.
    pub(crate) remaining: u32,
    /// Nanoseconds until there is one more.
    pub(crate) until_more: u64,
    /// Nanoseconds until the bucket is full.
    pub(crate) until_full: u64,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// The tier that is waited for longest.
    pub(crate) tier: usize,
    /// The same, of those that are told about.
    pub(crate) told: Option<Standing>,
    /// After this long every tier admits.
    pub(crate) wait: Duration,
}

/// The cells that a request takes from, at most [`MOST_CELLS`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    cells: [Cell; MOST_CELLS],
    charged: [bool; MOST_CELLS],
    count: usize,
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self {
            cells: [(usize::MAX, Place::Single); MOST_CELLS],
            charged: [false; MOST_CELLS],
            count: 0,
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, cell: Cell) {
        self.add(cell, true);
    }

    /// Only asks whether there is a request left.
    pub(crate) fn look(&mut self, cell: Cell) {
        self.add(cell, false);
    }

    #[inline]
    fn add(&mut self, cell: Cell, charged: bool) {
        let place = self.cells.get_mut(self.count);
        if let (Some(place), Some(flag)) = (place, self.charged.get_mut(self.count)) {
            (*place, *flag) = (cell, charged);
            self.count += 1;
        }
    }

    fn cells(&self) -> &[Cell] {
        self.cells.get(..self.count).unwrap_or_default()
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
    pub(crate) fn decide(&self, asked: &Asked) -> Result<Option<Standing>, Exhausted> {
        let now = self.now();
        let cells = asked.cells();
        let outcome = self.table.with(cells, now, |values| {
            let mut written = [None; MOST_CELLS];
            let outcome = self.judge(asked, values, &mut written, now);
            if outcome.is_err() {
                written = [None; MOST_CELLS];
            }
            (written, outcome)
        });
        if outcome.is_ok() {
            for (tier, _) in cells {
                self.count(*tier, false);
            }
        }
        outcome
    }

    fn judge(
        &self,
        asked: &Asked,
        values: &[Option<u64>; MOST_CELLS],
        written: &mut [Option<u64>; MOST_CELLS],
        now: u64,
    ) -> Result<Option<Standing>, Exhausted> {
        let mut nearest: Option<Standing> = None;
        let mut exhausted: Option<Exhausted> = None;
        let cells = asked.cells().iter().zip(&asked.charged);
        for (((tier, _), charged), (value, written)) in cells.zip(values.iter().zip(written)) {
            let Some(rules) = self.tiers.get(*tier) else {
                continue;
            };
            match arithmetic::judge(rules.quota, *value, now) {
                Ok(charge) => {
                    if !charged {
                        continue;
                    }
                    *written = Some(charge.next);
                    if rules.policy.is_none() {
                        continue;
                    }
                    let standing = Standing {
                        tier: *tier,
                        remaining: charge.remaining,
                        until_more: arithmetic::until_next(rules.quota, charge.next, now),
                        until_full: charge.next.saturating_sub(now),
                    };
                    if nearest.is_none_or(|other| standing.is_nearer(&other)) {
                        nearest = Some(standing);
                    }
                }
                Err(Wait(nanos)) => {
                    rules.count(true);
                    let wait = Duration::from_nanos(nanos);
                    let standing = Standing {
                        tier: *tier,
                        remaining: 0,
                        until_more: nanos,
                        until_full: value.unwrap_or(now).saturating_sub(now),
                    };
                    let told = rules.policy.is_some().then_some(standing);
                    exhausted = Some(match exhausted {
                        None => Exhausted {
                            tier: *tier,
                            told,
                            wait,
                        },
                        Some(first) => first.or(*tier, told, wait),
                    });
                }
            }
        }
        match exhausted {
            Some(exhausted) => Err(exhausted),
            None => Ok(nearest),
        }
    }

    /// Charges a cell for what turned out later, whatever is left in it.
    pub(crate) fn charge_anyway(&self, cell: Cell) {
        let Some(tier) = self.tiers.get(cell.0) else {
            return;
        };
        let now = self.now();
        self.table.with(&[cell], now, |values| {
            let mut written = [None; MOST_CELLS];
            if let (Some(written), Some(value)) = (written.first_mut(), values.first()) {
                *written = Some(arithmetic::charge_anyway(tier.quota, *value, now));
            }
            (written, ())
        });
    }

    pub(crate) fn statistics(&self) -> Vec<TierStatistics> {
        let now = self.now();
        let tiers = self.tiers.iter().enumerate();
        tiers
            .map(|(index, tier)| {
                let (total, rejected) = tier.counts();
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

    fn count(&self, tier: usize, refused: bool) {
        if let Some(tier) = self.tiers.get(tier) {
            tier.count(refused);
        }
    }

    fn now(&self) -> u64 {
        let nanos = self.clock.monotonic().as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).min(LATEST)
    }
}

impl Standing {
    fn is_nearer(&self, other: &Self) -> bool {
        let key = |standing: &Self| (standing.remaining, Reverse(standing.until_more));
        key(self) < key(other)
    }
}

impl Exhausted {
    fn or(self, tier: usize, told: Option<Standing>, wait: Duration) -> Self {
        let later =
            |standing: &Standing| self.told.is_none_or(|t| standing.until_more > t.until_more);
        let told = told.filter(later).or(self.told);
        if wait > self.wait {
            Self { tier, told, wait }
        } else {
            Self { told, ..self }
        }
    }
}

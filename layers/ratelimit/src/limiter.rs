use std::{cmp::Ordering, fmt, sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{
    Quota,
    arithmetic::{self, Charge, Wait},
    asked::{Ask, Asked, OpenAsk, Place},
    rule::{Counters, Rule},
    shard::{Lock, Shard},
    table::Table,
    tier::Limit,
};

/// A clock that shows more, some 146 years, stands still for us: sums with the slowest and largest
/// quota stay inside 64 bits, and no bucket is refilled by mistake.
pub(crate) const LATEST: u64 = 1 << 62;

/// How soon to come back where nobody can know when a request ends.
const SHORTLY: u64 = 1_000_000_000;

/// How a request stands with a tier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'r> {
    pub(crate) rule: &'r Rule,
    /// The tier's, unless the credential says its own.
    pub(crate) limit: Limit,
    /// Requests that are left.
    pub(crate) remaining: u32,
    /// Nanoseconds until there is one more; `None` if nobody knows.
    pub(crate) until_more: Option<u64>,
    /// Nanoseconds until the bucket is full.
    pub(crate) until_full: u64,
}

/// What is told of an admitted request.
#[derive(Debug, Default)]
pub(crate) struct Admitted<'r> {
    /// The tier that is nearest to its end, of those that are told about.
    pub(crate) nearest: Option<Standing<'r>>,
    /// Nanoseconds for which the next such request would be refused; 0 if it would not.
    pub(crate) wait: u64,
    /// A tier in shadow that would have refused it.
    pub(crate) would_refuse: Option<&'r Rule>,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exhausted<'r> {
    /// The tier that is waited for longest.
    pub(crate) rule: &'r Rule,
    /// The same, of those that are told about.
    pub(crate) told: Option<Standing<'r>>,
    /// After this long every tier admits.
    pub(crate) wait: Duration,
}

/// Asks every bucket and count, and charges all of them or none.
///
/// Whatever keeps the buckets: this needs them held from when they are read until they are written, and
/// nothing else.
#[inline]
pub(crate) fn decide<'r, L: Lock>(
    table: &Table<L>,
    rules: &'r [Rule],
    asked: &mut Asked,
    now: u64,
) -> Result<Admitted<'r>, Exhausted<'r>> {
    let admitted = reserve(table, rules, asked, now)?;
    count(rules, asked);
    Ok(admitted)
}

/// The same, but for the counting: others may refuse the request yet.
#[inline]
pub(crate) fn reserve<'r, L: Lock>(
    table: &Table<L>,
    rules: &'r [Rule],
    asked: &mut Asked,
    now: u64,
) -> Result<Admitted<'r>, Exhausted<'r>> {
    let (rates, open) = (asked.rates.as_mut_slice(), asked.open.as_mut_slice());
    let mut held = table.hold(rates, open, now);
    let (mut admitted, mut exhausted) = weigh(rules, rates, now);
    if exhausted.is_none() {
        exhausted = ask_open(rules, open, &mut admitted);
    }
    for ask in &mut *rates {
        let is_charged = exhausted.is_none() && ask.cost > 0 && !ask.is_refused;
        if !is_charged {
            if !ask.is_emptied {
                continue;
            }
            // What other rules left behind is brought down once, or it would never be paid back.
            ask.full_at = now.saturating_add(ask.most_owed);
        }
        held.write(ask);
    }
    if let Some(exhausted) = exhausted {
        return Err(exhausted);
    }
    for ask in open.iter().filter(|ask| !ask.is_refused) {
        held.enter(&ask.place);
    }
    drop(held);
    Ok(admitted)
}

/// What buckets say whose values are known: what the request would leave in them, and whether one refuses it.
#[inline]
pub(crate) fn weigh<'r>(
    rules: &'r [Rule],
    rates: &mut [Ask],
    now: u64,
) -> (Admitted<'r>, Option<Exhausted<'r>>) {
    let mut admitted = Admitted::default();
    let mut nearest: Option<Near<'_>> = None;
    let mut exhausted: Option<Exhausted<'_>> = None;
    for ask in rates {
        let Some(rule) = rules.get(ask.tier) else {
            continue;
        };
        let owed = arithmetic::owed(ask.full_at, ask.most_owed, now);
        ask.is_emptied = owed == ask.most_owed;
        match arithmetic::judge(ask.quota, ask.cost.max(1), owed, now) {
            Ok(charge) if ask.cost > 0 => {
                ask.full_at = charge.next;
                if ask.is_shadow {
                    continue;
                }
                if charge.is_last(ask.quota) {
                    let wait = charge.until_more(ask.quota, 0, now);
                    admitted.wait = admitted.wait.max(wait);
                }
                if ask.is_told && rule.policy.is_some() {
                    let near = Near::new(rule, ask.quota, charge);
                    if nearest.is_none_or(|other| near.is_before(other, now)) {
                        nearest = Some(near);
                    }
                }
            }
            Ok(_) => {}
            Err(wait) => {
                rule.counters.count(true);
                if ask.is_shadow {
                    ask.is_refused = true;
                    admitted.would_refuse.get_or_insert(rule);
                } else {
                    let more = Exhausted::of(rule, ask, wait, owed);
                    exhausted = Some(exhausted.map_or(more, |first| first.or(more)));
                }
            }
        }
    }
    admitted.nearest = nearest.map(|near| near.standing(now));
    (admitted, exhausted)
}

/// Counts a request that all let through.
pub(crate) fn count(rules: &[Rule], asked: &Asked) {
    let of_open = asked.open.iter().filter(|ask| !ask.is_refused);
    count_rates(rules, &asked.rates);
    for rule in of_open.filter_map(|ask| rules.get(ask.tier)) {
        rule.counters.count(false);
    }
}

pub(crate) fn count_rates(rules: &[Rule], rates: &[Ask]) {
    let counted = rates.iter().filter(|ask| !ask.is_refused);
    for rule in counted.filter_map(|ask| rules.get(ask.tier)) {
        rule.counters.count(false);
    }
}

/// The first that has as many open as it may.
fn ask_open<'r>(
    rules: &'r [Rule],
    open: &mut [OpenAsk],
    admitted: &mut Admitted<'r>,
) -> Option<Exhausted<'r>> {
    let mut exhausted = None;
    for ask in open.iter_mut().filter(|ask| ask.count >= ask.most) {
        let Some(rule) = rules.get(ask.tier) else {
            continue;
        };
        rule.counters.count(true);
        if ask.is_shadow {
            ask.is_refused = true;
            admitted.would_refuse.get_or_insert(rule);
        } else {
            exhausted.get_or_insert(Exhausted::of_open(rule));
        }
    }
    exhausted
}

/// Charges a bucket for what turned out later, whatever is left in it.
pub(crate) fn charge_anyway<L: Lock>(table: &Table<L>, mut ask: Ask, now: u64) {
    let asked = std::slice::from_mut(&mut ask);
    let mut held = table.hold(asked, &mut [], now);
    for ask in asked {
        let owed = arithmetic::owed(ask.full_at, ask.most_owed, now);
        ask.full_at = arithmetic::charge_anyway(ask.quota, owed, now);
        held.write(ask);
    }
}

/// Returns what was reserved at a time for a request that others refused, but for what its buckets would have
/// earned meanwhile had they been full: never more than was taken.
#[cfg(feature = "redis")]
pub(crate) fn give_back<L: Lock>(table: &Table<L>, rates: &[Ask], now: u64) {
    let is_charged = |ask: &&Ask| ask.cost > 0 && !ask.is_refused;
    for ask in rates.iter().filter(is_charged) {
        let taken = ask.quota.interval().saturating_mul(u64::from(ask.cost));
        let full_at = ask.full_at.saturating_sub(taken);
        let back = taken.saturating_sub(now.saturating_sub(full_at));
        table.lower(ask, back);
    }
}

/// A request that counts as open until this is dropped.
pub(crate) struct Permit<L: Lock = std::sync::Mutex<Shard>> {
    table: Arc<Table<L>>,
    held: SmallVec<[(Place, Arc<Counters>); 2]>,
}

impl<L: Lock> Permit<L> {
    /// What an admitted request entered; `None` if it is counted nowhere.
    pub(crate) fn of(table: &Arc<Table<L>>, rules: &[Rule], asked: &Asked) -> Option<Box<Self>> {
        let entered = asked.open.iter().filter(|ask| !ask.is_refused);
        let held: SmallVec<_> = entered
            .filter_map(|ask| {
                let counters = &rules.get(ask.tier)?.counters;
                counters.enter();
                Some((ask.place, Arc::clone(counters)))
            })
            .collect();
        (!held.is_empty()).then(|| {
            Box::new(Self {
                table: Arc::clone(table),
                held,
            })
        })
    }
}

impl<L: Lock> Drop for Permit<L> {
    fn drop(&mut self) {
        // What all share first: otherwise the next of this party, which comes in as soon as its own count permits, and
        // this one would both be counted in all, and take the place of another.
        let is_of_all = |(place, _): &&(Place, _)| matches!(place, Place::Single(_));
        let own = self.held.iter().filter(|held| !is_of_all(held));
        for (place, counters) in self.held.iter().filter(is_of_all).chain(own) {
            self.table.leave(place);
            counters.leave();
        }
    }
}

impl<L: Lock> fmt::Debug for Permit<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// What an admitted request would leave in a tier.
#[derive(Clone, Copy)]
struct Near<'r> {
    rule: &'r Rule,
    quota: Quota,
    charge: Charge,
    remaining: u32,
}

#[cfg(feature = "redis")]
impl Admitted<'_> {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        let is_nearer = |standing: &Standing<'_>| {
            self.nearest.is_none_or(|first| {
                let rank = |s: &Standing<'_>| (s.remaining, std::cmp::Reverse(s.until_more));
                rank(standing) < rank(&first)
            })
        };
        Self {
            nearest: other.nearest.filter(is_nearer).or(self.nearest),
            wait: self.wait.max(other.wait),
            would_refuse: self.would_refuse.or(other.would_refuse),
        }
    }
}

impl<'r> Near<'r> {
    fn new(rule: &'r Rule, quota: Quota, charge: Charge) -> Self {
        Self {
            rule,
            quota,
            charge,
            remaining: charge.remaining(quota),
        }
    }

    /// Whether fewer requests are left in it than in the other, or for longer.
    fn is_before(self, other: Self, now: u64) -> bool {
        match self.remaining.cmp(&other.remaining) {
            Ordering::Equal => self.until_more(now) > other.until_more(now),
            fewer => fewer.is_lt(),
        }
    }

    fn until_more(&self, now: u64) -> u64 {
        self.charge.until_more(self.quota, self.remaining, now)
    }

    fn standing(self, now: u64) -> Standing<'r> {
        Standing {
            rule: self.rule,
            limit: Limit::Rate(self.quota),
            remaining: self.remaining,
            until_more: Some(self.until_more(now)),
            until_full: self.charge.next.saturating_sub(now),
        }
    }
}

impl<'r> Exhausted<'r> {
    fn of(rule: &'r Rule, ask: &Ask, wait: Wait, owed: u64) -> Self {
        let standing = Standing {
            rule,
            limit: Limit::Rate(ask.quota),
            remaining: wait.remaining,
            until_more: Some(wait.nanos),
            until_full: owed,
        };
        Self {
            rule,
            told: rule.policy.is_some().then_some(standing),
            wait: Duration::from_nanos(wait.nanos),
        }
    }

    fn of_open(rule: &'r Rule) -> Self {
        let standing = Standing {
            rule,
            limit: rule.limit,
            remaining: 0,
            until_more: None,
            until_full: SHORTLY,
        };
        Self {
            rule,
            told: rule.policy.is_some().then_some(standing),
            wait: Duration::from_nanos(SHORTLY),
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

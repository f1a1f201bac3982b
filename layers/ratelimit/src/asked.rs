use smallvec::SmallVec;

use crate::{
    Quota,
    keys::{Id, Key, Mask, Owner},
    rule::Rule,
};

/// Buckets that one decision may ask: those of the tiers that may concern one call, and those that the
/// caller's credential brings.
pub(crate) const MOST_CELLS: usize = MOST_RATES + MOST_OF_CREDENTIAL;

/// Rates, and counts of open requests, that may concern one call.
pub(crate) const MOST_RATES: usize = 10;
pub(crate) const MOST_OPEN: usize = 4;

/// Buckets of one credential: its own, and one for each step of a chain that was made from it.
pub(crate) const MOST_OF_CREDENTIAL: usize = 5;

/// A bucket, or a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The tier's only one.
    Single(Id),
    /// One of many; beside it, that which new ones share.
    Keyed(Key, Id),
}

/// A bucket that a decision asks. All that are asked at once are all that whoever decides has to know:
/// which tier, whose bucket, what quota, what cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// Which of the tiers, for the answer.
    pub(crate) tier: usize,
    pub(crate) place: Place,
    pub(crate) quota: Quota,
    /// In requests; 0 only asks whether there is one left.
    pub(crate) cost: u32,
    /// Nanoseconds that the bucket can lack at most.
    pub(crate) most_owed: u64,
    /// Its refusal is told, and not obeyed.
    pub(crate) is_shadow: bool,
    /// Answers tell of it.
    pub(crate) is_told: bool,
    /// It would refuse, in shadow.
    pub(crate) is_refused: bool,
    /// It lacks as much as it can, or lacked more by other rules.
    pub(crate) is_emptied: bool,
    /// The time at which the bucket is full; it is full if that has passed.
    pub(crate) full_at: u64,
    pub(crate) seat: Seat,
}

/// A count of open requests that a decision asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenAsk {
    pub(crate) tier: usize,
    pub(crate) place: Place,
    /// With as many it refuses.
    pub(crate) most: u32,
    pub(crate) is_shadow: bool,
    pub(crate) is_refused: bool,
    /// Those that are open now.
    pub(crate) count: u32,
}

/// Where the value of a cell is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// In its shard, under its own name.
    Own,
    /// The same, for the first time since keys had to share.
    New,
    /// In its shard, under the name that it shares.
    Shared,
    /// The same, since keys had to share with those of others.
    NewShared,
    /// With its tier.
    Fixed,
}

/// All that one decision asks. More than fits in place takes memory from the heap.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) rates: SmallVec<[Ask; 8]>,
    pub(crate) open: SmallVec<[OpenAsk; 2]>,
    /// Of tiers that a fleet shares.
    #[cfg(feature = "redis")]
    pub(crate) fleet: Vec<Ask>,
}

impl Asked {
    /// One bucket more, where its tier keeps it.
    #[inline]
    pub(crate) fn ask(&mut self, rule: &Rule, ask: Ask) {
        #[cfg(feature = "redis")]
        if rule.outage.is_some() {
            self.fleet.push(ask);
            return;
        }
        let _ = rule;
        self.rates.push(ask);
    }

    /// Whether no rate is asked that is obeyed.
    pub(crate) fn is_unlimited(&self) -> bool {
        let is_shadow = |ask: &Ask| ask.is_shadow;
        #[cfg(feature = "redis")]
        if !self.fleet.iter().all(is_shadow) {
            return false;
        }
        self.rates.iter().all(is_shadow)
    }
}

impl Place {
    #[inline]
    pub(crate) fn of(mask: Mask, owner: Option<&Owner>) -> Self {
        match owner {
            Some(owner) => Self::Keyed(mask.key(owner), mask.fixed()),
            None => Self::Single(mask.fixed()),
        }
    }

    /// The bucket's own name.
    #[cfg(feature = "redis")]
    pub(crate) fn id(&self) -> Id {
        match self {
            Self::Single(id) => *id,
            Self::Keyed(key, _) => key.id,
        }
    }

    pub(crate) fn fixed(&self) -> Id {
        match self {
            Self::Single(id) | Self::Keyed(_, id) => *id,
        }
    }
}

impl Ask {
    #[inline]
    pub(crate) fn new(tier: usize, place: Place, quota: Quota, cost: u32) -> Self {
        Self {
            tier,
            place,
            quota,
            cost,
            most_owed: u64::MAX,
            is_shadow: false,
            is_told: true,
            is_refused: false,
            is_emptied: false,
            full_at: 0,
            seat: Seat::Fixed,
        }
    }
}

//! Rate limiters side by side, in memory: what one decision costs, and one pass through a layer.
//!
//! A decision that the peers have no single call for is as many of theirs, one after the other: each charges before it is known
//! whether the next admits. Ours admits by all tiers or charges none.

mod ours;
mod peers;
mod work;

use std::time::Duration;

pub use work::{Caller, Work};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    pub place: Place,
    pub tiers: usize,
    /// Of which each has a bucket in each tier.
    pub callers: u32,
}

/// How far from the request a side is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The limiter itself, for an account, a key, a session and a tool. The peer has whole numbers for keys, which nobody
    /// had to hash.
    Decision,
    /// A layer, or several in each other, by address and three header fields, to the answer of a service that does nothing.
    Layer,
}

/// One side of a case.
pub struct Side {
    pub name: &'static str,
    pub work: Box<dyn Work>,
}

pub const CASES: [Case; 8] = [
    Case::new("decision/1", Place::Decision, 1, 1),
    Case::new("decision/4", Place::Decision, 4, 1),
    Case::new("decision/1/1M_keys", Place::Decision, 1, 1_000_000),
    Case::new("decision/4/1M_keys", Place::Decision, 4, 250_000),
    Case::new("layer/1", Place::Layer, 1, 1),
    Case::new("layer/4", Place::Layer, 4, 1),
    Case::new("layer/1/1M_keys", Place::Layer, 1, 1_000_000),
    Case::new("layer/4/1M_keys", Place::Layer, 4, 250_000),
];

/// What may be at once, and is never used up here.
const BURST: u32 = 1_000_000;

/// In which one of them comes back, where no bucket is to be full again while this runs.
const SLOW: Duration = Duration::from_secs(3600);

/// The fields that the second to the fourth tier count by.
const FIELDS: [&str; 3] = ["x-key", "x-tenant", "x-project"];

impl Case {
    const fn new(name: &'static str, place: Place, tiers: usize, callers: u32) -> Self {
        Self {
            name,
            place,
            tiers,
            callers,
        }
    }

    /// Ours first. Each with all callers in it.
    pub fn sides(&self) -> Vec<Side> {
        let mut sides = match self.place {
            Place::Decision => vec![ours::decision(self), peers::governor(self)],
            Place::Layer => {
                let mut sides = vec![ours::layer(self), peers::tower_governor(self)];
                #[cfg(feature = "tower-rate-limiter")]
                sides.extend(peers::tower_rate_limiter(self));
                sides
            }
        };
        for side in &mut sides {
            side.fill(self.callers);
        }
        sides
    }

    /// Whether each caller comes back soon.
    fn is_warm(&self) -> bool {
        self.callers == 1
    }
}

impl Side {
    /// Asks once for each caller.
    fn fill(&mut self, callers: u32) {
        const PIECE: u32 = 1024;
        for first in (0..callers).step_by(PIECE as usize) {
            let some: Vec<_> = (first..callers.min(first + PIECE)).map(Caller).collect();
            self.work.prepare(&some);
            self.work.run();
        }
    }
}

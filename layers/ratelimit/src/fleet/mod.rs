//! Tiers whose buckets are in a Redis that several processes share.

mod builder;
mod decision;
mod lease;
mod leases;
mod link;
#[cfg(test)]
mod model;
mod outage;
mod prepaid;
mod refill;
mod script;
mod settled;
mod sharing;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use bartizan_core::Secret;
use bartizan_redis::Redis;

pub use builder::FleetBuilder;
pub use outage::Outage;

pub(crate) use decision::begin;
pub(crate) use sharing::Sharing;

use crate::{FleetSnapshot, keys::KeyMaker};
use link::Link;

/// The processes that share limits, and the Redis in which they keep the buckets (feature `redis`). Clones are one.
///
/// Each process builds its own, with the same Redis, secret and name. The [crate's documentation](crate) says what
/// is guaranteed.
///
/// ```
/// use bartizan_ratelimit::{Fleet, Outage, Quota, RateLimits};
/// use bartizan_redis::Redis;
/// # let secret = (0..32).collect::<Vec<u8>>();
/// let redis = Redis::builder("redis://127.0.0.1:6379/").build()?;
/// let fleet = Fleet::builder(redis, secret).name("notes").replicas(4).build()?;
/// let limits = RateLimits::builder()
///     .account(Quota::per_minute(60)?)
///     .global(Quota::per_second(500)?)
///     .shared("account", Outage::LocalShare)
///     .fleet(&fleet)
///     .build()?;
/// # let _ = limits;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Fleet(Arc<Link>);

impl Fleet {
    /// Shortest secret, in bytes.
    pub const MIN_SECRET_BYTES: usize = 32;

    /// Starts a fleet over this Redis. The secret is the same for all of its processes, and nobody else's: the names of
    /// the buckets are hashes under it, so that whoever reads them learns of no caller.
    pub fn builder(redis: Redis, secret: impl Into<Secret>) -> FleetBuilder {
        FleetBuilder::new(redis, secret.into())
    }

    /// How this process stands with Redis.
    pub fn snapshot(&self) -> FleetSnapshot {
        let counts = &self.0.counts;
        FleetSnapshot {
            is_away: self.0.is_away.load(Ordering::Relaxed),
            trips: counts.trips.load(Ordering::Relaxed),
            faults: counts.faults.load(Ordering::Relaxed),
        }
    }

    /// Returns to the others what was paid for in advance and not used: before the process ends, for its
    /// [leases](FleetBuilder::leases). Without this they wait until it melts away.
    pub async fn end_leases(&self) {
        self.0.end_leases().await;
    }

    pub(crate) fn keys(&self) -> &KeyMaker {
        &self.0.keys
    }

    /// How many processes there are, if anybody said.
    pub(crate) fn replicas(&self) -> Option<u32> {
        self.0.replicas
    }

    pub(crate) fn are_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(&one.0, &other.0),
            (None, None) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("redis", &self.0.redis)
            .field("prefix", &self.0.prefix)
            .field("wait", &self.0.wait)
            .field("replicas", &self.0.replicas)
            .finish_non_exhaustive()
    }
}

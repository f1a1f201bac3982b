#![doc = include_str!("../README.md")]

mod address;
mod arithmetic;
mod asked;
mod by;
#[cfg(feature = "serde")]
mod config;
mod cost;
mod error;
mod fields;
#[cfg(feature = "redis")]
mod fleet;
mod held;
mod judge;
mod keys;
mod layer;
mod limiter;
mod limits;
mod methods;
#[cfg(test)]
mod model;
mod parties;
mod plans;
mod quota;
mod rule;
mod shard;
mod shared;
mod statistics;
mod table;
mod tier;
mod version;

pub use address::{
    AddressLimit, AddressLimitLayer, AddressLimits, AddressLimitsBuilder, ResponseFuture,
};
pub use by::{Asking, By};
#[cfg(all(feature = "serde", feature = "redis"))]
pub use config::FleetConfig;
#[cfg(feature = "serde")]
pub use config::{
    AddressLimitConfig, ByConfig, CostConfig, PrefixConfig, QuotaConfig, RateLimitConfig,
    TierConfig,
};
pub use cost::Cost;
pub use error::RateLimitConfigError;
#[cfg(feature = "redis")]
pub use fleet::{Fleet, FleetBuilder, Outage};
pub use judge::{RateLimit, RateLimitRules, Told};
pub use layer::RateLimitLayer;
pub use limits::{RateLimits, RateLimitsBuilder};
pub use quota::Quota;
#[cfg(feature = "redis")]
pub use statistics::FleetSnapshot;
pub use statistics::{LimitsSnapshot, TierStatistics};
pub use tier::Tier;

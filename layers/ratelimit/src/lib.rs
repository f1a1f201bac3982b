#![doc = include_str!("../README.md")]

mod address;
mod arithmetic;
#[cfg(feature = "serde")]
mod config;
mod error;
mod fields;
mod judge;
mod keys;
mod layer;
mod limiter;
mod limits;
mod party;
mod quota;
mod shard;
mod statistics;
mod table;
mod tier;

pub use address::{
    AddressLimit, AddressLimitLayer, AddressLimits, AddressLimitsBuilder, ResponseFuture,
};
#[cfg(feature = "serde")]
pub use config::{AddressLimitConfig, QuotaConfig, RateLimitConfig};
pub use error::RateLimitConfigError;
pub use judge::{RateLimit, RateLimitRules, Told};
pub use layer::RateLimitLayer;
pub use limits::{RateLimits, RateLimitsBuilder};
pub use quota::Quota;
pub use statistics::TierStatistics;

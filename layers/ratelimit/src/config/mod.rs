mod address;
#[cfg(feature = "redis")]
mod fleet;
#[cfg(test)]
mod tests;
mod tier;

use std::collections::BTreeMap;

use bartizan_core::call::{CallConfig, CallLimits, CallLimitsError};
use serde::{Deserialize, Serialize};

pub use address::AddressLimitConfig;
#[cfg(feature = "redis")]
pub use fleet::FleetConfig;
pub use tier::{ByConfig, CostConfig, TierConfig};

use crate::{Quota, RateLimitConfigError, RateLimits, RateLimitsBuilder, Tier};

/// A [`Quota`] as a file holds it: so many per second, minute or hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct QuotaConfig {
    /// See [`Quota::per_second`].
    pub per_second: Option<u32>,
    /// See [`Quota::per_minute`].
    pub per_minute: Option<u32>,
    /// See [`Quota::per_hour`].
    pub per_hour: Option<u32>,
    /// See [`Quota::burst`].
    pub burst: Option<u32>,
}

impl TryFrom<QuotaConfig> for Quota {
    type Error = RateLimitConfigError;

    fn try_from(config: QuotaConfig) -> Result<Self, RateLimitConfigError> {
        let quota = match (config.per_second, config.per_minute, config.per_hour) {
            (Some(rate), None, None) => Self::per_second(rate)?,
            (None, Some(rate), None) => Self::per_minute(rate)?,
            (None, None, Some(rate)) => Self::per_hour(rate)?,
            (second, minute, hour) => {
                let said = [second, minute, hour].into_iter().flatten().count();
                let problem = "are said, and not one of `per_second`, `per_minute`, `per_hour`";
                return Err(RateLimitConfigError::new("rates", said, problem));
            }
        };
        config.burst.map_or(Ok(quota), |burst| quota.burst(burst))
    }
}

/// The settings of [`RateLimits`] as a file holds them; unknown fields are refused.
///
/// ```
/// use bartizan_ratelimit::{RateLimitConfig, RateLimits};
/// let config: RateLimitConfig = serde_json::from_str(
///     r#"{ "account": { "per_minute": 60, "burst": 20 }, "tools": { "delete": { "per_minute": 6 } } }"#,
/// )?;
/// let limits = RateLimits::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RateLimitConfig {
    /// See [`RateLimitsBuilder::global`].
    pub global: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::account`].
    pub account: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::api_key`].
    pub api_key: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::session`].
    pub session: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::tool`].
    pub tools: BTreeMap<String, QuotaConfig>,
    /// See [`RateLimitsBuilder::other_tools`].
    pub other_tools: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::discovery`].
    pub discovery: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::only_credentials`].
    pub only_credentials: bool,
    /// See [`RateLimitsBuilder::tier`].
    pub tiers: Vec<TierConfig>,
    /// See [`RateLimitsBuilder::open_per_account`].
    pub open_per_account: Option<u32>,
    /// See [`RateLimitsBuilder::open_in_all`].
    pub open_in_all: Option<u32>,
    /// See [`RateLimitsBuilder::low_priority_tool`].
    pub low_priority_tools: Vec<String>,
    /// See [`RateLimitsBuilder::shed_from`].
    pub shed_from: Option<u8>,
    /// See [`RateLimitsBuilder::address_prefixes`].
    pub address_prefixes: Option<PrefixConfig>,
    /// See [`RateLimitsBuilder::max_keys`].
    pub max_keys: Option<usize>,
    /// See [`RateLimitsBuilder::without_headers`].
    pub without_headers: bool,
    /// See [`RateLimitsBuilder::legacy_headers`].
    pub legacy_headers: bool,
    /// See [`RateLimitsBuilder::call_limits`].
    pub call_limits: CallConfig,
    /// By the names of tiers: see [`RateLimitsBuilder::shared`]. The [`fleet`](RateLimitsBuilder::fleet) is given to the builder
    /// that this makes.
    #[cfg(feature = "redis")]
    pub shared: BTreeMap<String, crate::Outage>,
}

/// How many bits of an address count, as a file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PrefixConfig {
    /// Of an IPv4 address, 8 to 32.
    pub v4: u8,
    /// Of an IPv6 address, 16 to 64.
    pub v6: u8,
}

impl TryFrom<RateLimitConfig> for RateLimits {
    type Error = RateLimitConfigError;

    fn try_from(config: RateLimitConfig) -> Result<Self, RateLimitConfigError> {
        RateLimitsBuilder::try_from(config)?.build()
    }
}

impl TryFrom<RateLimitConfig> for RateLimitsBuilder {
    type Error = RateLimitConfigError;

    fn try_from(config: RateLimitConfig) -> Result<Self, RateLimitConfigError> {
        let mut builder = Self::default();
        if let Some(quota) = config.global {
            builder = builder.global(quota.try_into()?);
        }
        if let Some(quota) = config.account {
            builder = builder.account(quota.try_into()?);
        }
        if let Some(quota) = config.api_key {
            builder = builder.api_key(quota.try_into()?);
        }
        if let Some(quota) = config.session {
            builder = builder.session(quota.try_into()?);
        }
        for (name, quota) in config.tools {
            builder = builder.tool(&name, quota.try_into()?);
        }
        if let Some(quota) = config.other_tools {
            builder = builder.other_tools(quota.try_into()?);
        }
        if let Some(quota) = config.discovery {
            builder = builder.discovery(quota.try_into()?);
        }
        if config.only_credentials {
            builder = builder.only_credentials();
        }
        for tier in config.tiers {
            builder = builder.tier(Tier::try_from(tier)?);
        }
        if let Some(most) = config.open_per_account {
            builder = builder.open_per_account(most);
        }
        if let Some(most) = config.open_in_all {
            builder = builder.open_in_all(most);
        }
        for name in config.low_priority_tools {
            builder = builder.low_priority_tool(&name);
        }
        if let Some(percent) = config.shed_from {
            builder = builder.shed_from(percent);
        }
        if let Some(PrefixConfig { v4, v6 }) = config.address_prefixes {
            builder = builder.address_prefixes(v4, v6);
        }
        if let Some(keys) = config.max_keys {
            builder = builder.max_keys(keys);
        }
        if config.without_headers {
            builder = builder.without_headers();
        }
        if config.legacy_headers {
            builder = builder.legacy_headers();
        }
        #[cfg(feature = "redis")]
        for (tier, outage) in config.shared {
            builder = builder.shared(&tier, outage);
        }
        let limits = CallLimits::try_from(config.call_limits);
        let limits = limits.map_err(|error: CallLimitsError| {
            RateLimitConfigError::new("call_limits", error, "is out of range")
        })?;
        Ok(builder.call_limits(limits))
    }
}

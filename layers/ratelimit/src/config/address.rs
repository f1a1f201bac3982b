use serde::{Deserialize, Serialize};

use super::{PrefixConfig, QuotaConfig, TierConfig};
use crate::{AddressLimits, AddressLimitsBuilder, RateLimitConfigError, Tier};

/// The settings of [`AddressLimits`] as a file holds them; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AddressLimitConfig {
    /// See [`AddressLimitsBuilder::address`].
    pub address: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::discovery`].
    pub discovery: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::failed_authentication`].
    pub failed_authentication: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::tier`].
    pub tiers: Vec<TierConfig>,
    /// See [`AddressLimitsBuilder::open_per_address`].
    pub open_per_address: Option<u32>,
    /// See [`AddressLimitsBuilder::open_in_all`].
    pub open_in_all: Option<u32>,
    /// See [`AddressLimitsBuilder::prefixes`].
    pub prefixes: Option<PrefixConfig>,
    /// See [`AddressLimitsBuilder::max_keys`].
    pub max_keys: Option<usize>,
}

impl TryFrom<AddressLimitConfig> for AddressLimits {
    type Error = RateLimitConfigError;

    fn try_from(config: AddressLimitConfig) -> Result<Self, RateLimitConfigError> {
        AddressLimitsBuilder::try_from(config)?.build()
    }
}

impl TryFrom<AddressLimitConfig> for AddressLimitsBuilder {
    type Error = RateLimitConfigError;

    fn try_from(config: AddressLimitConfig) -> Result<Self, RateLimitConfigError> {
        let mut builder = Self::default();
        if let Some(quota) = config.address {
            builder = builder.address(quota.try_into()?);
        }
        if let Some(quota) = config.discovery {
            builder = builder.discovery(quota.try_into()?);
        }
        if let Some(quota) = config.failed_authentication {
            builder = builder.failed_authentication(quota.try_into()?);
        }
        for tier in config.tiers {
            builder = builder.tier(Tier::try_from(tier)?);
        }
        if let Some(most) = config.open_per_address {
            builder = builder.open_per_address(most);
        }
        if let Some(most) = config.open_in_all {
            builder = builder.open_in_all(most);
        }
        if let Some(PrefixConfig { v4, v6 }) = config.prefixes {
            builder = builder.prefixes(v4, v6);
        }
        if let Some(keys) = config.max_keys {
            builder = builder.max_keys(keys);
        }
        Ok(builder)
    }
}

use std::collections::BTreeMap;

use bartizan_core::call::{CallConfig, CallLimits, CallLimitsError};
use serde::{Deserialize, Serialize};

use crate::{AddressLimits, Quota, RateLimitConfigError, RateLimits};

/// A [`Quota`] as a file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct QuotaConfig {
    /// See [`Quota::per_minute`].
    pub per_minute: u32,
    /// See [`Quota::burst`].
    pub burst: Option<u32>,
}

impl TryFrom<QuotaConfig> for Quota {
    type Error = RateLimitConfigError;

    fn try_from(config: QuotaConfig) -> Result<Self, RateLimitConfigError> {
        let quota = Self::per_minute(config.per_minute)?;
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
    /// See [`RateLimitsBuilder::global`](crate::RateLimitsBuilder::global).
    pub global: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::account`](crate::RateLimitsBuilder::account).
    pub account: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::api_key`](crate::RateLimitsBuilder::api_key).
    pub api_key: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::session`](crate::RateLimitsBuilder::session).
    pub session: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::tool`](crate::RateLimitsBuilder::tool).
    pub tools: BTreeMap<String, QuotaConfig>,
    /// See [`RateLimitsBuilder::other_tools`](crate::RateLimitsBuilder::other_tools).
    pub other_tools: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::discovery`](crate::RateLimitsBuilder::discovery).
    pub discovery: Option<QuotaConfig>,
    /// See [`RateLimitsBuilder::only_credentials`](crate::RateLimitsBuilder::only_credentials).
    pub only_credentials: bool,
    /// See [`RateLimitsBuilder::max_keys`](crate::RateLimitsBuilder::max_keys).
    pub max_keys: Option<usize>,
    /// See [`RateLimitsBuilder::without_headers`](crate::RateLimitsBuilder::without_headers).
    pub without_headers: bool,
    /// See [`RateLimitsBuilder::legacy_headers`](crate::RateLimitsBuilder::legacy_headers).
    pub legacy_headers: bool,
    /// See [`RateLimitsBuilder::call_limits`](crate::RateLimitsBuilder::call_limits).
    pub call_limits: CallConfig,
}

impl TryFrom<RateLimitConfig> for RateLimits {
    type Error = RateLimitConfigError;

    fn try_from(config: RateLimitConfig) -> Result<Self, RateLimitConfigError> {
        let mut builder = Self::builder();
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
        if let Some(keys) = config.max_keys {
            builder = builder.max_keys(keys);
        }
        if config.without_headers {
            builder = builder.without_headers();
        }
        if config.legacy_headers {
            builder = builder.legacy_headers();
        }
        let limits = CallLimits::try_from(config.call_limits);
        let limits = limits.map_err(|error: CallLimitsError| {
            RateLimitConfigError::new("call_limits", error, "is out of range")
        })?;
        builder.call_limits(limits).build()
    }
}

/// The settings of [`AddressLimits`] as a file holds them; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AddressLimitConfig {
    /// See [`AddressLimitsBuilder::address`](crate::AddressLimitsBuilder::address).
    pub address: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::discovery`](crate::AddressLimitsBuilder::discovery).
    pub discovery: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::failed_authentication`](crate::AddressLimitsBuilder::failed_authentication).
    pub failed_authentication: Option<QuotaConfig>,
    /// See [`AddressLimitsBuilder::max_keys`](crate::AddressLimitsBuilder::max_keys).
    pub max_keys: Option<usize>,
}

impl TryFrom<AddressLimitConfig> for AddressLimits {
    type Error = RateLimitConfigError;

    fn try_from(config: AddressLimitConfig) -> Result<Self, RateLimitConfigError> {
        let mut builder = Self::builder();
        if let Some(quota) = config.address {
            builder = builder.address(quota.try_into()?);
        }
        if let Some(quota) = config.discovery {
            builder = builder.discovery(quota.try_into()?);
        }
        if let Some(quota) = config.failed_authentication {
            builder = builder.failed_authentication(quota.try_into()?);
        }
        if let Some(keys) = config.max_keys {
            builder = builder.max_keys(keys);
        }
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> Result<RateLimits, String> {
        let config: RateLimitConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        RateLimits::try_from(config).map_err(|e| e.to_string())
    }

    #[test]
    fn every_setting_reaches_the_limits() {
        let from_file = limits(
            r#"{ "global": { "per_minute": 1 }, "account": { "per_minute": 2, "burst": 3 },
                 "api_key": { "per_minute": 4 }, "session": { "per_minute": 5 },
                 "tools": { "t": { "per_minute": 6 } }, "other_tools": { "per_minute": 7 },
                 "discovery": { "per_minute": 8 }, "max_keys": 5000,
                 "without_headers": true, "legacy_headers": true,
                 "call_limits": { "body_bytes": 77 } }"#,
        )
        .unwrap();
        let quota = |n| Quota::per_minute(n).unwrap();
        let by_hand = RateLimits::builder()
            .global(quota(1))
            .account(quota(2).burst(3).unwrap())
            .api_key(quota(4))
            .session(quota(5))
            .tool("t", quota(6))
            .other_tools(quota(7))
            .discovery(quota(8))
            .max_keys(5000)
            .without_headers()
            .legacy_headers()
            .call_limits(CallLimits::new().with_body_bytes(77).unwrap())
            .build()
            .unwrap();
        assert_eq!(from_file.statistics(), by_hand.statistics());
        assert_eq!(from_file.0.call_limits, by_hand.0.call_limits);
        assert_eq!(from_file.0.telling, by_hand.0.telling);
        let config: AddressLimitConfig = serde_json::from_str(
            r#"{ "address": { "per_minute": 1 }, "discovery": { "per_minute": 2 },
                 "failed_authentication": { "per_minute": 3 }, "max_keys": 1000 }"#,
        )
        .unwrap();
        let tiers = AddressLimits::try_from(config).unwrap().statistics();
        let rates = tiers.iter().map(|t| (t.tier, t.requests_per_minute as u32));
        let expected = [
            ("discovery", 2),
            ("address", 1),
            ("failed_authentication", 3),
        ];
        assert!(rates.eq(expected));
    }

    #[test]
    fn a_contradiction_or_an_unknown_field_names_itself() {
        for (json, named) in [
            ("{}", "nothing is limited"),
            (r#"{ "acount": { "per_minute": 1 } }"#, "acount"),
            (r#"{ "account": { "per_minute": 0 } }"#, "`0`"),
            (r#"{ "account": { "per_hour": 1 } }"#, "per_hour"),
            (r#"{ "session": { "per_minute": 1 } }"#, "session"),
            (r#"{ "tools": { "": { "per_minute": 1 } } }"#, "tool"),
            (
                r#"{ "global": { "per_minute": 1 }, "call_limits": { "depth": 1 } }"#,
                "depth",
            ),
            (
                r#"{ "global": { "per_minute": 1 }, "max_keys": 1 }"#,
                "max_keys `1`",
            ),
        ] {
            let error = limits(json).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}

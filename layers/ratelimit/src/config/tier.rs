use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::QuotaConfig;
use crate::{By, Cost, RateLimitConfigError, Tier};

/// A [`Tier`] as a file holds it: either a `rate` or a number of `open` requests.
///
/// ```
/// use bartizan_ratelimit::{RateLimitConfig, RateLimits};
/// let config: RateLimitConfig = toml::from_str(r#"
///     [[tiers]]
///     name = "dear"
///     rate = { per_minute = 600, burst = 100 }
///     by = ["tenant", { tools = ["export", "import"] }]
///     tools = ["export", "import"]
///     cost = { each = 1, tools = { export = 10 }, body_bytes = 65536 }
///     shadow = true
///
///     [[tiers]]
///     name = "streams"
///     open = 4
///     by = ["account"]
///     streams = true
/// "#)?;
/// let limits = RateLimits::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TierConfig {
    /// What header fields and statistics call it.
    pub name: String,
    /// See [`Tier::rate`].
    pub rate: Option<QuotaConfig>,
    /// See [`Tier::open`].
    pub open: Option<u32>,
    /// See [`Tier::by`].
    #[serde(default)]
    pub by: Vec<ByConfig>,
    /// See [`Tier::tools`].
    pub tools: Option<Vec<String>>,
    /// See [`Tier::other_tools`].
    pub other_tools: Option<Vec<String>>,
    /// See [`Tier::methods`].
    pub methods: Option<Vec<String>>,
    /// See [`Tier::streams`].
    #[serde(default)]
    pub streams: bool,
    /// See [`Tier::cost`].
    pub cost: Option<CostConfig>,
    /// See [`Tier::shadow`].
    #[serde(default)]
    pub shadow: bool,
    /// See [`Tier::hidden`].
    #[serde(default)]
    pub hidden: bool,
    /// See [`Tier::shared`].
    #[cfg(feature = "redis")]
    pub shared: Option<crate::Outage>,
}

/// A [`By`] as a file holds it. Closures it cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ByConfig {
    /// See [`By::address`].
    Address,
    /// See [`By::network`].
    Network {
        /// Bits of an IPv4 address, 8 to 32.
        v4: u8,
        /// Bits of an IPv6 address, 16 to 64.
        v6: u8,
    },
    /// See [`By::account`].
    Account,
    /// See [`By::tenant`].
    Tenant,
    /// See [`By::api_key`].
    ApiKey,
    /// See [`By::session`].
    Session,
    /// See [`By::method`].
    Method,
    /// See [`By::tools`].
    Tools(Vec<String>),
}

/// A [`Cost`] as a file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CostConfig {
    /// See [`Cost::each`].
    pub each: u32,
    /// See [`Cost::tool`].
    pub tools: BTreeMap<String, u32>,
    /// See [`Cost::body_bytes`].
    pub body_bytes: Option<u32>,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            each: 1,
            tools: BTreeMap::new(),
            body_bytes: None,
        }
    }
}

impl TryFrom<TierConfig> for Tier {
    type Error = RateLimitConfigError;

    fn try_from(config: TierConfig) -> Result<Self, RateLimitConfigError> {
        let mut tier = match (config.rate, config.open) {
            (Some(quota), None) => Self::rate(&config.name, quota.try_into()?),
            (None, Some(most)) => Self::open(&config.name, most),
            _ => {
                let problem = "is neither a `rate` nor a number of `open` requests, or both";
                return Err(RateLimitConfigError::new("tier", &config.name, problem));
            }
        };
        let concerns = [
            config.tools.is_some(),
            config.other_tools.is_some(),
            config.methods.is_some(),
            config.streams,
        ];
        if concerns.into_iter().filter(|is_said| *is_said).count() > 1 {
            let problem = "says in two ways which calls it concerns";
            return Err(RateLimitConfigError::new("tier", &config.name, problem));
        }
        for by in config.by {
            tier = tier.by(by.into());
        }
        if let Some(names) = config.tools {
            tier = tier.tools(names);
        }
        if let Some(names) = config.other_tools {
            tier = tier.other_tools(names);
        }
        if let Some(names) = config.methods {
            tier = tier.methods(names);
        }
        if config.streams {
            tier = tier.streams();
        }
        if let Some(cost) = config.cost {
            tier = tier.cost(cost.into());
        }
        if config.shadow {
            tier = tier.shadow();
        }
        if config.hidden {
            tier = tier.hidden();
        }
        #[cfg(feature = "redis")]
        if let Some(outage) = config.shared {
            tier = tier.shared(outage);
        }
        Ok(tier)
    }
}

impl From<ByConfig> for By {
    fn from(config: ByConfig) -> Self {
        match config {
            ByConfig::Address => Self::address(),
            ByConfig::Network { v4, v6 } => Self::network(v4, v6),
            ByConfig::Account => Self::account(),
            ByConfig::Tenant => Self::tenant(),
            ByConfig::ApiKey => Self::api_key(),
            ByConfig::Session => Self::session(),
            ByConfig::Method => Self::method(),
            ByConfig::Tools(names) => Self::tools(names),
        }
    }
}

impl From<CostConfig> for Cost {
    fn from(config: CostConfig) -> Self {
        let mut cost = Self::each(config.each);
        for (name, requests) in &config.tools {
            cost = cost.tool(name, *requests);
        }
        match config.body_bytes {
            Some(bytes) => cost.body_bytes(bytes),
            None => cost,
        }
    }
}

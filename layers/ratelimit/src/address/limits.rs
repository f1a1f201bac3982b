use std::sync::Arc;

use bartizan_core::{Clock, SystemClock};

use crate::{
    Quota, RateLimitConfigError, TierStatistics,
    limiter::Limiter,
    limits::{DEFAULT_MAX_KEYS, check_max_keys, default_discovery},
    tier::Tier,
};

/// The limits of an [`AddressLimitLayer`](crate::AddressLimitLayer). Clones share their buckets.
#[derive(Debug, Clone)]
pub struct AddressLimits(pub(super) Arc<Limits>);

#[derive(Debug)]
pub(super) struct Limits {
    pub(super) limiter: Limiter,
    pub(super) address: Option<usize>,
    pub(super) discovery: Option<usize>,
    pub(super) failed: Option<usize>,
}

impl AddressLimits {
    /// Starts limits; at least one tier is required.
    pub fn builder() -> AddressLimitsBuilder {
        AddressLimitsBuilder::default()
    }

    /// What each tier has counted.
    pub fn statistics(&self) -> Vec<TierStatistics> {
        self.0.limiter.statistics()
    }
}

/// Builds [`AddressLimits`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AddressLimitsBuilder {
    address: Option<Quota>,
    discovery: Option<Quota>,
    failed: Option<Quota>,
    max_keys: usize,
    clock: Arc<dyn Clock>,
}

impl Default for AddressLimitsBuilder {
    fn default() -> Self {
        Self {
            address: None,
            discovery: None,
            failed: None,
            max_keys: DEFAULT_MAX_KEYS,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl AddressLimitsBuilder {
    /// Each IPv4 address, and each IPv6 network of 64 bits.
    pub fn address(mut self, quota: Quota) -> Self {
        self.address = Some(quota);
        self
    }

    /// The same for requests whose `Mcp-Method` says `server/discover` or `initialize`, which take
    /// from no other tier (RL-10). Nothing has compared the header with the body yet: who lies in it
    /// gains this bucket and no more. Default 60 a minute, 30 at once; none without an
    /// [`address`](Self::address) tier.
    pub fn discovery(mut self, quota: Quota) -> Self {
        self.discovery = Some(quota);
        self
    }

    /// Credentials that are answered as invalid or malformed. An address that has used this up is
    /// refused, whatever it sends, until it has earned another try: what tells good credentials
    /// from bad ones is the work that this bounds.
    pub fn failed_authentication(mut self, quota: Quota) -> Self {
        self.failed = Some(quota);
        self
    }

    /// Buckets that are kept at most, of at most 60 bytes each. Default 100 000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// The clock whose monotonic side counts. Default [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks all that was said.
    ///
    /// # Errors
    ///
    /// - neither an address nor a failed authentication tier;
    /// - `max_keys` below 1000 or above 100 000 000;
    /// - no randomness from the system.
    pub fn build(self) -> Result<AddressLimits, RateLimitConfigError> {
        if self.address.is_none() && self.failed.is_none() {
            let problem = "are none, so that nothing is limited";
            return Err(RateLimitConfigError::new("tiers", "", problem));
        }
        check_max_keys(self.max_keys)?;
        let mut tiers = Vec::new();
        let mut add = |name, quota: Quota| {
            tiers.push(Tier::keyed(name, quota)?);
            Ok(tiers.len() - 1)
        };
        let discovery = match self.discovery {
            // Unless it would otherwise take from this, there is nothing to keep it from.
            None if self.address.is_some() => Some(default_discovery()?),
            chosen => chosen,
        };
        let discovery = discovery.map(|quota| add("discovery", quota));
        let discovery = discovery.transpose()?;
        let address = self.address.map(|quota| add("address", quota));
        let address = address.transpose()?;
        let failed = self.failed.map(|quota| add("failed_authentication", quota));
        let failed = failed.transpose()?;
        Ok(AddressLimits(Arc::new(Limits {
            address,
            discovery,
            failed,
            limiter: Limiter::new(tiers, self.max_keys, self.clock)?,
        })))
    }
}

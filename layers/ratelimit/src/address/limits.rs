use std::sync::Arc;

use bartizan_core::{CallLimits, Clock, Events, SystemClock};

#[cfg(feature = "redis")]
use crate::fleet::Sharing;
use crate::{
    By, LimitsSnapshot, Quota, RateLimitConfigError, Tier, TierStatistics,
    by::Prefixes,
    fields::Telling,
    limits::{DEFAULT_MAX_KEYS, check_max_keys, is_rate_for_all},
    methods::{DISCOVERY, PING},
    plans::LowPriority,
    shared::Shared,
    version::{Draft, default_discovery},
};

/// The limits of an [`AddressLimitLayer`](crate::AddressLimitLayer). Clones share their buckets, and what is in force.
#[derive(Debug, Clone)]
pub struct AddressLimits(pub(super) Arc<Shared>);

impl AddressLimits {
    /// Starts limits; at least one tier is required.
    pub fn builder() -> AddressLimitsBuilder {
        AddressLimitsBuilder::default()
    }

    /// Puts other limits in force, as [`RateLimits::swap`](crate::RateLimits::swap) does.
    ///
    /// # Errors
    ///
    /// As for [`build`](AddressLimitsBuilder::build), or if [`max_keys`](AddressLimitsBuilder::max_keys) is another
    /// than before; the limits in force stay.
    pub fn swap(&self, next: AddressLimitsBuilder) -> Result<(), RateLimitConfigError> {
        self.0.swap(next.draft()?)
    }

    /// What each tier has counted.
    pub fn statistics(&self) -> Vec<TierStatistics> {
        self.0.statistics()
    }

    /// The same, and what is in force.
    pub fn snapshot(&self) -> LimitsSnapshot {
        self.0.snapshot()
    }
}

/// Builds [`AddressLimits`].
#[derive(Debug, Clone)]
#[must_use]
pub struct AddressLimitsBuilder {
    address: Option<Quota>,
    discovery: Option<Quota>,
    failed: Option<Quota>,
    open: [Option<u32>; 2],
    tiers: Vec<Tier>,
    prefixes: Prefixes,
    events: Events,
    max_keys: usize,
    clock: Arc<dyn Clock>,
}

impl Default for AddressLimitsBuilder {
    fn default() -> Self {
        Self {
            address: None,
            discovery: None,
            failed: None,
            open: [None; 2],
            tiers: Vec::new(),
            prefixes: Prefixes::DEFAULT,
            events: Events::default(),
            max_keys: DEFAULT_MAX_KEYS,
            clock: Arc::new(SystemClock::new()),
        }
    }
}

impl AddressLimitsBuilder {
    /// Each IPv4 address, and each IPv6 network of 64 bits, or what [`prefixes`](Self::prefixes) says.
    pub fn address(mut self, quota: Quota) -> Self {
        self.address = Some(quota);
        self
    }

    /// The same for requests whose `Mcp-Method` says `server/discover`, `initialize` or `ping`, which take
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

    /// How many requests an address may have open at once, streams included: beyond that it is answered 429 (RL-9). An
    /// eighth more may say that they are discovery, at least one.
    pub fn open_per_address(mut self, most: u32) -> Self {
        self.open = [Some(most), self.open[1]];
        self
    }

    /// How many requests may be open in all, whoever they are from: beyond that anybody is answered 503. An eighth more
    /// may say that they are discovery, since a client that is refused there may take the server for an older one (RL-10).
    pub fn open_in_all(mut self, most: u32) -> Self {
        self.open = [self.open[0], Some(most)];
        self
    }

    /// A tier of your own. Here it may count by [address](By::address), [network](By::network) and a
    /// [closure](By::key) only, since nothing else is known yet.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tiers.push(tier);
        self
    }

    /// How many bits of an address count in the tiers named here: 8 to 32 of IPv4, 16 to 64 of IPv6. Default 32 and 64.
    pub fn prefixes(mut self, v4_bits: u8, v6_bits: u8) -> Self {
        self.prefixes = Prefixes {
            v4: v4_bits,
            v6: v6_bits,
        };
        self
    }

    /// Where to report what is swapped, and what a tier in shadow would have refused.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
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
    /// - no tier besides discovery;
    /// - a tier that asks for what is not known here, or contradicts itself;
    /// - `max_keys` below 1000 or above 100 000 000, and other numbers out of their range;
    /// - no randomness from the system.
    pub fn build(self) -> Result<AddressLimits, RateLimitConfigError> {
        let clock = Arc::clone(&self.clock);
        let shared = Shared::new(self.draft()?, clock)?;
        Ok(AddressLimits(Arc::new(shared)))
    }

    fn draft(self) -> Result<Draft, RateLimitConfigError> {
        let tiers = self.all_tiers()?;
        if tiers.iter().all(|tier| &*tier.name == "discovery") {
            let problem = "are none, so that nothing is limited";
            return Err(RateLimitConfigError::new("tiers", "", problem));
        }
        check_max_keys(self.max_keys)?;
        #[cfg(feature = "redis")]
        Sharing::default().check(&tiers)?;
        Ok(Draft {
            tiers,
            low: LowPriority::default(),
            telling: Telling::default(),
            prefixes: self.prefixes,
            events: self.events,
            is_outside: true,
            max_keys: self.max_keys,
            call_limits: CallLimits::new(),
            #[cfg(feature = "redis")]
            sharing: Sharing::default(),
        })
    }

    fn all_tiers(&self) -> Result<Vec<Tier>, RateLimitConfigError> {
        let by = By::network(self.prefixes.v4, self.prefixes.v6);
        let limits_all = self.address.is_some() || self.tiers.iter().any(is_rate_for_all);
        let discovery = match self.discovery {
            // Unless it would otherwise take from this, there is nothing to keep it from.
            None if limits_all => Some(default_discovery()?),
            chosen => chosen,
        };
        let mut tiers = Vec::new();
        let rate = |name, quota| Tier::rate(name, quota).by(by.clone());
        let apart = DISCOVERY.into_iter().chain([PING]);
        tiers.extend(discovery.map(|quota| rate("discovery", quota).methods(apart)));
        tiers.extend(self.address.map(|quota| rate("address", quota)));
        let failed = |quota| rate("failed_authentication", quota).looked_at();
        tiers.extend(self.failed.map(failed));
        let [per_address, in_all] = self.open;
        tiers.extend(per_address.map(|most| Tier::open("open", most).by(by.clone())));
        tiers.extend(in_all.map(|most| Tier::open("open_in_all", most)));
        tiers.extend(self.tiers.iter().cloned());
        Ok(tiers)
    }
}

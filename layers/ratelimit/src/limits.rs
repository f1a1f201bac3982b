use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bartizan_core::{Call, CallLimits, Clock, Denial, Events, SecurityContext, SystemClock};
use http::HeaderMap;

use crate::{
    By, LimitsSnapshot, Quota, RateLimitConfigError, Tier, TierStatistics, Told,
    by::Prefixes,
    fields::Telling,
    judge,
    methods::{DISCOVERY, PING},
    plans::{LowPriority, sheds},
    shared::Shared,
    tier::{Concerns, Limit, check_tools},
    version::{Draft, default_discovery},
};
#[cfg(feature = "redis")]
use crate::{Fleet, Outage, fleet::Sharing};

/// The limits of a [`RateLimitLayer`](crate::RateLimitLayer). Clones share their buckets, and what is in force.
#[derive(Debug, Clone)]
pub struct RateLimits(pub(crate) Arc<Shared>);

impl RateLimits {
    /// Starts limits; at least one tier is required.
    pub fn builder() -> RateLimitsBuilder {
        RateLimitsBuilder::default()
    }

    /// Puts other limits in force, of which each request is decided by one: the one that was in force when this layer
    /// saw it. Nobody waits for it.
    ///
    /// A tier that goes on under its name, counting by the same for the same calls, keeps its buckets and what it
    /// has counted: one whose rate, burst or cost is another does too, and a bucket that lacked more than the new
    /// rules can leave is empty by them. All others start full. The clock is the first limits', whose tiers stay in memory.
    ///
    /// # Errors
    ///
    /// As for [`build`](RateLimitsBuilder::build), or if [`max_keys`](RateLimitsBuilder::max_keys) or
    /// [`call_limits`](RateLimitsBuilder::call_limits) are others than before; the limits in force stay.
    ///
    /// ```
    /// use bartizan_ratelimit::{Quota, RateLimits};
    /// let limits = RateLimits::builder().account(Quota::per_minute(60)?).build()?;
    /// // Later, and elsewhere:
    /// limits.swap(RateLimits::builder().account(Quota::per_minute(6)?))?;
    /// assert_eq!(limits.snapshot().version, 2);
    /// # Ok::<(), bartizan_ratelimit::RateLimitConfigError>(())
    /// ```
    pub fn swap(&self, next: RateLimitsBuilder) -> Result<(), RateLimitConfigError> {
        self.0.swap(next.draft()?)
    }

    /// Decides a call outside of any layer, for a server that reads its calls itself. Where a tier is shared, that is
    /// 503: only `check_shared` waits for Redis.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn check(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Told, Denial> {
        judge::check(&self.0, call, headers, context)
    }

    /// The same, where tiers are shared: it may wait for Redis.
    ///
    /// # Errors
    ///
    /// The refusal.
    #[cfg(feature = "redis")]
    pub async fn check_shared(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Told, Denial> {
        judge::check_shared(&self.0, call, headers, context).await
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

/// Builds [`RateLimits`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RateLimitsBuilder {
    global: Option<Quota>,
    account: Option<Quota>,
    api_key: Option<Quota>,
    session: Option<Quota>,
    tools: BTreeMap<String, Quota>,
    twice: Option<String>,
    other_tools: Option<Quota>,
    discovery: Option<Quota>,
    credentials_suffice: bool,
    tiers: Vec<Tier>,
    low: LowPriority,
    prefixes: Prefixes,
    events: Events,
    max_keys: usize,
    telling: Telling,
    call_limits: CallLimits,
    clock: Arc<dyn Clock>,
    #[cfg(feature = "redis")]
    sharing: Sharing,
}

impl Default for RateLimitsBuilder {
    fn default() -> Self {
        Self {
            global: None,
            account: None,
            api_key: None,
            session: None,
            tools: BTreeMap::new(),
            twice: None,
            other_tools: None,
            discovery: None,
            credentials_suffice: false,
            tiers: Vec::new(),
            low: LowPriority {
                tools: BTreeSet::new(),
                from: 80,
            },
            prefixes: Prefixes::DEFAULT,
            events: Events::default(),
            max_keys: DEFAULT_MAX_KEYS,
            telling: Telling::default(),
            call_limits: CallLimits::new(),
            clock: Arc::new(SystemClock::new()),
            #[cfg(feature = "redis")]
            sharing: Sharing::default(),
        }
    }
}

pub(crate) const DEFAULT_MAX_KEYS: usize = 100_000;
const MOST_TIERS: usize = 10_000;

impl RateLimitsBuilder {
    /// All requests together.
    pub fn global(mut self, quota: Quota) -> Self {
        self.global = Some(quota);
        self
    }

    /// Each account: issuer, subject and kind, whatever client it acts through. Without a
    /// principal, each address (RL-9).
    pub fn account(mut self, quota: Quota) -> Self {
        self.account = Some(quota);
        self
    }

    /// Each API key, by its id: principals whose method is `apikey`. One without an id counts as
    /// its account.
    pub fn api_key(mut self, quota: Quota) -> Self {
        self.api_key = Some(quota);
        self
    }

    /// Each session of each account, for requests with an `Mcp-Session-Id` (SE-7).
    pub fn session(mut self, quota: Quota) -> Self {
        self.session = Some(quota);
        self
    }

    /// Calls of a tool, by its exact name, for each account (RL-1).
    pub fn tool(mut self, name: &str, quota: Quota) -> Self {
        if self.tools.insert(name.to_owned(), quota).is_some() {
            self.twice = Some(name.to_owned());
        }
        self
    }

    /// Calls of all tools together that [`tool`](Self::tool) does not name, for each account: an
    /// invented name earns no bucket of its own (RL-11).
    pub fn other_tools(mut self, quota: Quota) -> Self {
        self.other_tools = Some(quota);
        self
    }

    /// Says that nothing is limited but credentials that say themselves how often they may be used: no tier
    /// is required then. Such credentials are limited always.
    pub fn only_credentials(mut self) -> Self {
        self.credentials_suffice = true;
        self
    }

    /// `server/discover` and `initialize`, for each account, which take from no other tier: a client
    /// that is refused one of them may take the server for an older one (RL-10). Default 60 a
    /// minute, 30 at once; none if only tools are limited. `ping` has as much beside them.
    pub fn discovery(mut self, quota: Quota) -> Self {
        self.discovery = Some(quota);
        self
    }

    /// A tier of your own.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tiers.push(tier);
        self
    }

    /// How many requests an account may have open at once, streams included: beyond that it is answered 429 (RL-9).
    pub fn open_per_account(self, most: u32) -> Self {
        self.tier(Tier::open("open", most).by(By::account()))
    }

    /// How many requests may be open in all: beyond that anybody is answered 503.
    pub fn open_in_all(self, most: u32) -> Self {
        self.tier(Tier::open("open_in_all", most))
    }

    /// A tool whose calls can wait: they are answered 503 when what is open in all comes near its most.
    pub fn low_priority_tool(mut self, name: &str) -> Self {
        self.low.tools.insert(name.into());
        self
    }

    /// From how many per cent of it on, 1 to 100. Default 80.
    pub fn shed_from(mut self, percent: u8) -> Self {
        self.low.from = percent;
        self
    }

    /// How many bits of an address count for whom nobody vouches: 8 to 32 of IPv4, 16 to 64 of IPv6. Default 32 and 64.
    pub fn address_prefixes(mut self, v4_bits: u8, v6_bits: u8) -> Self {
        self.prefixes = Prefixes {
            v4: v4_bits,
            v6: v6_bits,
        };
        self
    }

    /// Where to report what is swapped, and what a tier in shadow would have refused: `limits_swapped`, `would_refuse`.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Buckets that are kept at most, of at most 60 bytes each. Default 100 000.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Leaves admitted answers without `RateLimit` and `RateLimit-Policy`. Refusals have them.
    pub fn without_headers(mut self) -> Self {
        self.telling.quiet = true;
        self
    }

    /// Adds `X-RateLimit-Limit`, `-Remaining` and `-Reset` (seconds until the bucket is full).
    pub fn legacy_headers(mut self) -> Self {
        self.telling.legacy = true;
        self
    }

    /// What a call may measure, where this layer is the first to read it.
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        self.call_limits = limits;
        self
    }

    /// The clock whose monotonic side counts. Default [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The Redis that keeps the buckets of shared tiers.
    #[cfg(feature = "redis")]
    pub fn fleet(mut self, fleet: &Fleet) -> Self {
        self.sharing.fleet = Some(fleet.clone());
        self
    }

    /// Shares the tiers of this name, as `account`, `tool`, `credential` or one of your own, among all processes of the
    /// [`fleet`](Self::fleet), and says what they do while Redis is away. See [`Tier::shared`].
    #[cfg(feature = "redis")]
    pub fn shared(mut self, tier: &str, outage: Outage) -> Self {
        self.sharing.tiers.insert(tier.into(), outage);
        self
    }

    /// Checks all that was said.
    ///
    /// # Errors
    ///
    /// - no tier besides discovery, unless [`only_credentials`](Self::only_credentials) says that none is needed;
    /// - a session tier without one that counts accounts: session ids are free to mint;
    /// - a tool without a name, with one above 1024 bytes, or given twice; a tier given twice, or one that
    ///   contradicts itself; more than 10 000 tiers, or more than 10 rates or 4 of open requests for one call;
    /// - tools of low priority without a most of open requests that counts their calls;
    /// - `max_keys` below 1000 or above 100 000 000, and other numbers out of their range;
    /// - a shared tier without a fleet, one that no tier is called, one of open requests, or one that is full only after
    ///   more than ten years;
    /// - no randomness from the system.
    pub fn build(self) -> Result<RateLimits, RateLimitConfigError> {
        let clock = Arc::clone(&self.clock);
        let shared = Shared::new(self.draft()?, clock)?;
        Ok(RateLimits(Arc::new(shared)))
    }

    fn draft(self) -> Result<Draft, RateLimitConfigError> {
        self.check()?;
        let tiers = self.all_tiers()?;
        check_sessions(&tiers)?;
        if tiers.len() > MOST_TIERS {
            let problem = "are more than 10000";
            return Err(RateLimitConfigError::new("tiers", tiers.len(), problem));
        }
        let is_shed = |tool: &str| tiers.iter().any(|tier| sheds(tier, tool));
        if let Some(tool) = self.low.tools.iter().find(|tool| !is_shed(tool)) {
            let problem = "is of low priority, and nothing limits what is open in all of its calls";
            return Err(RateLimitConfigError::new("tool", tool, problem));
        }
        #[cfg(feature = "redis")]
        self.sharing.check(&tiers)?;
        Ok(Draft {
            tiers,
            low: self.low,
            telling: self.telling,
            prefixes: self.prefixes,
            events: self.events,
            is_outside: false,
            max_keys: self.max_keys,
            call_limits: self.call_limits,
            #[cfg(feature = "redis")]
            sharing: self.sharing,
        })
    }

    /// The presets, and the tiers of one's own.
    fn all_tiers(&self) -> Result<Vec<Tier>, RateLimitConfigError> {
        let by_account = |name, quota: Quota| Tier::rate(name, quota).by(By::account());
        let mut tiers = Vec::new();
        tiers.extend(self.account.map(|quota| by_account("account", quota)));
        let api_key = |quota| Tier::rate("api_key", quota).by(By::api_key());
        tiers.extend(self.api_key.map(api_key));
        let session = |quota| by_account("session", quota).by(By::session());
        tiers.extend(self.session.map(session));
        let others = |quota| by_account("tool", quota).other_tools(self.tools.keys());
        tiers.extend(self.other_tools.map(others));
        let discovery = match self.discovery {
            // Unless it would otherwise take from one of these, there is nothing to keep it from.
            None if self.limits_all() => Some(default_discovery()?),
            chosen => chosen,
        };
        if let Some(quota) = discovery {
            tiers.push(by_account("discovery", quota).methods(DISCOVERY));
            tiers.push(by_account("ping", quota).methods([PING]));
        }
        tiers.extend(self.global.map(|quota| Tier::rate("global", quota)));
        for (name, quota) in &self.tools {
            tiers.push(by_account("tool", *quota).tools([name]));
        }
        tiers.extend(self.tiers.iter().cloned());
        Ok(tiers)
    }

    fn limits_all(&self) -> bool {
        let presets = [self.account, self.api_key, self.global];
        presets.iter().any(Option::is_some) || self.tiers.iter().any(is_rate_for_all)
    }

    fn check(&self) -> Result<(), RateLimitConfigError> {
        let error =
            |setting, value: &str, problem| Err(RateLimitConfigError::new(setting, value, problem));
        let tiers = [self.global, self.account, self.api_key, self.other_tools];
        let has_tier = tiers.iter().any(Option::is_some)
            || self.session.is_some()
            || !self.tools.is_empty()
            || !self.tiers.is_empty();
        if !has_tier && !self.credentials_suffice {
            return error("tiers", "", "are none, so that nothing is limited");
        }
        if let Some(name) = &self.twice {
            return error("tool", name, "is given twice");
        }
        check_tools(&self.low.tools)?;
        if !(1..=100).contains(&self.low.from) {
            let problem = "is not from 1 to 100 per cent";
            return Err(RateLimitConfigError::new(
                "shed_from",
                self.low.from,
                problem,
            ));
        }
        check_max_keys(self.max_keys)
    }
}

/// Whether a tier limits how often, whatever is asked for.
pub(crate) fn is_rate_for_all(tier: &Tier) -> bool {
    matches!(tier.limit, Limit::Rate(_)) && tier.concerns == Concerns::All && !tier.is_shadow
}

/// Session ids are free to mint: something must limit how many of them earn a bucket.
fn check_sessions(tiers: &[Tier]) -> Result<(), RateLimitConfigError> {
    let is_of_session = |tier: &&Tier| tier.by.contains(&By::session());
    let holds = |tier: &Tier| tier.by == [By::account()] && is_rate_for_all(tier);
    match tiers.iter().find(is_of_session) {
        Some(tier) if !tiers.iter().any(holds) => Err(RateLimitConfigError::new(
            "tier",
            &tier.name,
            "needs an account tier, for session ids are free to mint",
        )),
        _ => Ok(()),
    }
}

pub(crate) fn check_max_keys(keys: usize) -> Result<(), RateLimitConfigError> {
    if (1000..=100_000_000).contains(&keys) {
        return Ok(());
    }
    let problem = "is not from 1000 to 100000000";
    Err(RateLimitConfigError::new("max_keys", keys, problem))
}

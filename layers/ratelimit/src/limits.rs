use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bartizan_core::{CallLimits, Clock, SystemClock};

use crate::{
    Quota, RateLimitConfigError, TierStatistics, fields::Telling, limiter::Limiter, tier::Tier,
};

/// The limits of a [`RateLimitLayer`](crate::RateLimitLayer). Clones share their buckets.
#[derive(Debug, Clone)]
pub struct RateLimits(pub(crate) Arc<Limits>);

#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) limiter: Limiter,
    pub(crate) global: Option<usize>,
    pub(crate) account: Option<usize>,
    pub(crate) api_key: Option<usize>,
    pub(crate) session: Option<usize>,
    pub(crate) tools: HashMap<Box<str>, usize>,
    pub(crate) other_tools: Option<usize>,
    pub(crate) discovery: Option<usize>,
    /// By the rates that credentials say themselves.
    pub(crate) credential_tier: usize,
    /// Where no other is configured, of those whose credentials say a rate.
    pub(crate) rated_discovery: usize,
    pub(crate) telling: Telling,
    pub(crate) call_limits: CallLimits,
}

impl RateLimits {
    /// Starts limits; at least one tier is required.
    pub fn builder() -> RateLimitsBuilder {
        RateLimitsBuilder::default()
    }

    /// What each tier has counted.
    pub fn statistics(&self) -> Vec<TierStatistics> {
        self.0.limiter.statistics()
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
    max_keys: usize,
    telling: Telling,
    call_limits: CallLimits,
    clock: Arc<dyn Clock>,
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
            max_keys: DEFAULT_MAX_KEYS,
            telling: Telling::default(),
            call_limits: CallLimits::new(),
            clock: Arc::new(SystemClock::new()),
        }
    }
}

pub(crate) const DEFAULT_MAX_KEYS: usize = 100_000;
const MOST_TOOLS: usize = 10_000;
const LONGEST_TOOL: usize = 1024;

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
    /// minute, 30 at once; none if only tools are limited.
    pub fn discovery(mut self, quota: Quota) -> Self {
        self.discovery = Some(quota);
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

    /// Checks all that was said.
    ///
    /// # Errors
    ///
    /// - no tier besides discovery, unless [`only_credentials`](Self::only_credentials) says that none is needed;
    /// - a session tier without an account tier: session ids are free to mint;
    /// - a tool without a name, with one above 1024 bytes, or given twice; more than 10 000;
    /// - `max_keys` below 1000 or above 100 000 000;
    /// - no randomness from the system.
    pub fn build(self) -> Result<RateLimits, RateLimitConfigError> {
        self.check()?;
        let mut tiers = Vec::new();
        let mut add = |tier: Result<Tier, RateLimitConfigError>| {
            tiers.push(tier?);
            Ok(tiers.len() - 1)
        };
        let mut keyed = |name, quota: Option<Quota>| {
            quota.map(|quota| add(Tier::keyed(name, quota))).transpose()
        };
        let account = keyed("account", self.account)?;
        let api_key = keyed("api_key", self.api_key)?;
        let session = keyed("session", self.session)?;
        let other_tools = keyed("tool", self.other_tools)?;
        let discovery = match self.discovery {
            // Unless it would otherwise take from one of these, there is nothing to keep it from.
            None if account.or(api_key).is_some() || self.global.is_some() => {
                Some(default_discovery()?)
            }
            chosen => chosen,
        };
        let discovery = keyed("discovery", discovery)?;
        let global = self.global.map(|quota| add(Tier::single("global", quota)));
        let mut tools = HashMap::new();
        for (name, quota) in self.tools {
            let tier = add(Tier::keyed("tool", quota).map(|tier| tier.of_tool(&name)))?;
            tools.insert(name.into_boxed_str(), tier);
        }
        let mut implied = |name, quota| add(Tier::keyed(name, quota).map(Tier::implied));
        // Their quotas are the credentials'; these would do for one that says none.
        let strictest = Quota::per_minute(1)?.burst(1)?;
        let credential_tier = implied("credential", strictest)?;
        let rated_discovery = match discovery {
            Some(tier) => tier,
            None => implied("discovery", default_discovery()?)?,
        };
        Ok(RateLimits(Arc::new(Limits {
            credential_tier,
            rated_discovery,
            global: global.transpose()?,
            account,
            api_key,
            session,
            other_tools,
            discovery,
            tools,
            telling: self.telling,
            call_limits: self.call_limits,
            limiter: Limiter::new(tiers, self.max_keys, self.clock)?,
        })))
    }

    fn check(&self) -> Result<(), RateLimitConfigError> {
        let error =
            |setting, value: &str, problem| Err(RateLimitConfigError::new(setting, value, problem));
        let tiers = [self.global, self.account, self.api_key, self.other_tools];
        let has_tier = tiers.iter().any(Option::is_some) || self.session.is_some();
        if !has_tier && self.tools.is_empty() && !self.credentials_suffice {
            return error("tiers", "", "are none, so that nothing is limited");
        }
        if self.session.is_some() && self.account.is_none() {
            return error(
                "tier",
                "session",
                "needs an account tier, for session ids are free to mint",
            );
        }
        if let Some(name) = &self.twice {
            return error("tool", name, "is given twice");
        }
        let fits = |name: &String| (1..=LONGEST_TOOL).contains(&name.len());
        if let Some(name) = self.tools.keys().find(|name| !fits(name)) {
            return error("tool", name, "is not a name of 1 to 1024 bytes");
        }
        if self.tools.len() > MOST_TOOLS {
            let count = self.tools.len();
            return Err(RateLimitConfigError::new(
                "tools",
                count,
                "are more than 10000",
            ));
        }
        check_max_keys(self.max_keys)
    }
}

pub(crate) fn check_max_keys(keys: usize) -> Result<(), RateLimitConfigError> {
    if (1000..=100_000_000).contains(&keys) {
        return Ok(());
    }
    let problem = "is not from 1000 to 100000000";
    Err(RateLimitConfigError::new("max_keys", keys, problem))
}

pub(crate) fn default_discovery() -> Result<Quota, RateLimitConfigError> {
    Quota::per_minute(60)?.burst(30)
}

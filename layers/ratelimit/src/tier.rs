use std::{collections::BTreeSet, fmt::Write as _};

use bartizan_core::CallLimits;

#[cfg(feature = "redis")]
use crate::Outage;
use crate::{By, Cost, Quota, RateLimitConfigError, by::Part, methods::is_apart};

/// A limit: what it counts by, which calls it concerns, and how many it lets through.
///
/// The builders' own tiers (`account`, `tool`) are presets of this.
///
/// ```
/// use bartizan_ratelimit::{By, Quota, RateLimits, Tier};
/// let limits = RateLimits::builder()
///     .account(Quota::per_minute(60)?)
///     // Each tenant's calls of two dear tools, each tool for itself; for now only told.
///     .tier(
///         Tier::rate("dear", Quota::per_hour(100)?.burst(10)?)
///             .by(By::tenant())
///             .by(By::tools(["export", "import"]))
///             .tools(["export", "import"])
///             .shadow(),
///     )
///     // Streams that one account listens on.
///     .tier(Tier::open("streams", 4).by(By::account()).streams())
///     .build()?;
/// # let _ = limits;
/// # Ok::<(), bartizan_ratelimit::RateLimitConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Tier {
    pub(crate) name: Box<str>,
    pub(crate) limit: Limit,
    pub(crate) by: Vec<By>,
    pub(crate) concerns: Concerns,
    pub(crate) cost: Cost,
    pub(crate) is_shadow: bool,
    pub(crate) is_hidden: bool,
    /// It is charged by what an answer says, and only looked at before.
    pub(crate) is_looked_at: bool,
    /// Nobody configured it: it is told of once it was asked.
    pub(crate) is_implied: bool,
    /// A fleet shares its buckets; what it does while they are out of reach.
    #[cfg(feature = "redis")]
    pub(crate) outage: Option<Outage>,
}

/// What a tier limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Rate(Quota),
    /// Requests that are open at once.
    Open(u32),
}

/// Which calls a tier concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Concerns {
    /// All but discovery.
    All,
    Tools(BTreeSet<Box<str>>),
    OtherTools(BTreeSet<Box<str>>),
    Methods(BTreeSet<Box<str>>),
    Streams,
}

const MOST_OPEN: u32 = 1_000_000;
const LONGEST_NAME: usize = 32;
const LONGEST_TOOL: usize = 1024;

impl Tier {
    /// Limits how often. The name, up to 32 lowercase letters, digits, `_`, `-` and `.`, is what header fields and
    /// statistics call it.
    pub fn rate(name: &str, quota: Quota) -> Self {
        Self::new(name, Limit::Rate(quota))
    }

    /// Limits how many requests are open at once, 1 to 1 000 000: from when they are admitted until their answer
    /// has ended, or the client is gone. One that counts by nothing is for the whole process, and refuses with 503.
    pub fn open(name: &str, most: u32) -> Self {
        Self::new(name, Limit::Open(most))
    }

    fn new(name: &str, limit: Limit) -> Self {
        Self {
            name: name.into(),
            limit,
            by: Vec::new(),
            concerns: Concerns::All,
            cost: Cost::default(),
            is_shadow: false,
            is_hidden: false,
            is_looked_at: false,
            is_implied: false,
            #[cfg(feature = "redis")]
            outage: None,
        }
    }

    /// Counts by this, and by what was named before.
    pub fn by(mut self, by: By) -> Self {
        if !self.by.contains(&by) {
            self.by.push(by);
        }
        self
    }

    /// Concerns calls of these tools only, by their exact names. Without this or the like a tier concerns all calls but
    /// `server/discover`, `initialize` and `ping` (RL-10).
    pub fn tools<I: IntoIterator<Item: AsRef<str>>>(mut self, names: I) -> Self {
        self.concerns = Concerns::Tools(set(names));
        self
    }

    /// Concerns calls of all other tools.
    pub fn other_tools<I: IntoIterator<Item: AsRef<str>>>(mut self, names: I) -> Self {
        self.concerns = Concerns::OtherTools(set(names));
        self
    }

    /// Concerns requests and notifications of these MCP methods only, by their exact names.
    pub fn methods<I: IntoIterator<Item: AsRef<str>>>(mut self, names: I) -> Self {
        self.concerns = Concerns::Methods(set(names));
        self
    }

    /// Concerns streams that a client listens on only: `GET`, and `subscriptions/listen`.
    pub fn streams(mut self) -> Self {
        self.concerns = Concerns::Streams;
        self
    }

    /// What calls cost, of a rate. Default 1 each.
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Only tells what it would refuse: in the finding `would_refuse`, in an event at most once a minute, and in
    /// statistics. Nothing is refused or charged otherwise for it; its own buckets are charged as if it were obeyed.
    pub fn shadow(mut self) -> Self {
        self.is_shadow = true;
        self
    }

    /// Is told to nobody in header fields, as one without anything to count by never is: it tells how much the
    /// server bears (RL-5).
    pub fn hidden(mut self) -> Self {
        self.is_hidden = true;
        self
    }

    /// Keeps its buckets in the Redis of a [`Fleet`](crate::Fleet), so that it holds across all processes that share it, and
    /// says what it does while Redis is away. A tier of open requests can't be shared.
    #[cfg(feature = "redis")]
    pub fn shared(mut self, outage: Outage) -> Self {
        self.outage = Some(outage);
        self
    }

    /// Charged by what an answer says.
    pub(crate) fn looked_at(mut self) -> Self {
        self.is_looked_at = true;
        self
    }

    /// That nobody configured.
    pub(crate) fn implied(mut self) -> Self {
        self.is_implied = true;
        self
    }

    /// Whether one bucket serves all.
    pub(crate) fn is_single(&self) -> bool {
        self.by.is_empty()
    }

    /// The tool, for a tier of one.
    pub(crate) fn only_tool(&self) -> Option<&str> {
        match &self.concerns {
            Concerns::Tools(names) if names.len() == 1 => names.first().map(AsRef::as_ref),
            _ => None,
        }
    }

    /// What makes it the same tier after a change of the limits, whose buckets stay.
    pub(crate) fn identity(&self) -> String {
        let mut text = String::from(&*self.name);
        if self.is_implied {
            text.push_str(" implied");
        }
        text.push_str(match self.limit {
            Limit::Rate(_) => " rate",
            Limit::Open(_) => " open",
        });
        for part in self.parts() {
            // Which tools have a bucket of their own changes none of the others.
            let _ = match &part {
                Part::Tools(_) => write!(text, " tools"),
                part => write!(text, " {part:?}"),
            };
        }
        let _ = match &self.concerns {
            Concerns::OtherTools(_) => write!(text, " others"),
            concerns => write!(text, " {concerns:?}"),
        };
        text
    }

    /// What makes it the same tier in other processes. They can't tell closures apart but by the tier's name.
    #[cfg(feature = "redis")]
    pub(crate) fn fleet_identity(&self) -> String {
        let mut text = format!("shared {}", self.name);
        if self.is_implied {
            text.push_str(" implied");
        }
        for part in self.parts() {
            let _ = match &part {
                Part::Tools(_) => write!(text, " tools"),
                Part::Said(_) => write!(text, " said"),
                part => write!(text, " {part:?}"),
            };
        }
        let _ = match &self.concerns {
            Concerns::OtherTools(_) => write!(text, " others"),
            concerns => write!(text, " {concerns:?}"),
        };
        text
    }

    /// What a key is made of, in order. A session is always somebody's.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<_> = self.by.iter().map(|by| by.0.clone()).collect();
        if parts.contains(&Part::Session) && !parts.contains(&Part::Account) {
            parts.push(Part::Account);
        }
        parts.sort_by_key(Part::rank);
        parts
    }

    /// # Errors
    ///
    /// What is wrong with it at its place: the first one knows neither the caller nor the call.
    pub(crate) fn check(&self, is_outside: bool) -> Result<(), RateLimitConfigError> {
        let error =
            |setting, value: &str, problem| Err(RateLimitConfigError::new(setting, value, problem));
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
        if !(1..=LONGEST_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_plain) {
            let problem = "is not a name of 1 to 32 lowercase letters, digits, `_`, `-` and `.`";
            return error("tier", &self.name, problem);
        }
        match self.limit {
            Limit::Open(most) if !(1..=MOST_OPEN).contains(&most) => {
                let problem = "is not from 1 to 1000000";
                return Err(RateLimitConfigError::new("open requests", most, problem));
            }
            Limit::Open(_) if !self.cost.is_one() => {
                return error(
                    "tier",
                    &self.name,
                    "counts open requests, which cost 1 each",
                );
            }
            _ => self.cost.check()?,
        }
        let parts = self.parts();
        let ranks: BTreeSet<_> = parts.iter().map(Part::rank).collect();
        if ranks.len() < parts.len() {
            return error("tier", &self.name, "counts by one thing in two ways");
        }
        for part in &parts {
            match part {
                Part::Address(prefixes) => prefixes.check().map_err(|(what, bits, problem)| {
                    RateLimitConfigError::new(what, bits, problem)
                })?,
                Part::Tools(names) => check_tools(&**names)?,
                _ => {}
            }
        }
        match &self.concerns {
            Concerns::Tools(names) => {
                check_tools(names)?;
                if names.is_empty() {
                    return error("tier", &self.name, "concerns no tool");
                }
            }
            Concerns::OtherTools(names) => check_tools(names)?,
            Concerns::Methods(names) => self.check_methods(names, is_outside)?,
            Concerns::All | Concerns::Streams => {}
        }
        if !is_outside {
            return Ok(());
        }
        let is_blind = match &self.concerns {
            Concerns::All | Concerns::Methods(_) => !parts.iter().all(Part::is_known_outside),
            _ => true,
        };
        if is_blind || !self.cost.is_known_outside() {
            let problem = "asks for what nobody has verified before authentication";
            return error("tier", &self.name, problem);
        }
        Ok(())
    }

    fn check_methods(
        &self,
        names: &BTreeSet<Box<str>>,
        is_outside: bool,
    ) -> Result<(), RateLimitConfigError> {
        if names.is_empty() {
            let problem = "concerns no method";
            return Err(RateLimitConfigError::new("tier", &self.name, problem));
        }
        let is_method = |name: &str| {
            (1..=CallLimits::METHOD_BYTES).contains(&name.len())
                // Nobody has compared the header with the body yet, so that it may only choose among these.
                && (!is_outside || is_apart(name))
        };
        match names.iter().find(|name| !is_method(name)) {
            None => Ok(()),
            Some(name) => Err(RateLimitConfigError::new(
                "method",
                name,
                "is none that a tier can be for here",
            )),
        }
    }
}

fn set<I: IntoIterator<Item: AsRef<str>>>(names: I) -> BTreeSet<Box<str>> {
    names.into_iter().map(|name| name.as_ref().into()).collect()
}

/// # Errors
///
/// If one of them cannot be a tool's name.
pub(crate) fn check_tools<'n>(
    names: impl IntoIterator<Item = &'n Box<str>>,
) -> Result<(), RateLimitConfigError> {
    let is_none = |name: &str| !(1..=LONGEST_TOOL).contains(&name.len());
    match names.into_iter().find(|name| is_none(name)) {
        None => Ok(()),
        Some(name) => Err(RateLimitConfigError::new(
            "tool",
            name,
            "is not a name of 1 to 1024 bytes",
        )),
    }
}

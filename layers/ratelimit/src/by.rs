use std::{borrow::Cow, collections::BTreeSet, fmt, sync::Arc};

use bartizan_core::{Call, SecurityContext};
use http::HeaderMap;

/// What a tier counts by. A tier that names several counts for each combination of them; one that names
/// none has a single bucket for all.
///
/// ```
/// use bartizan_ratelimit::{By, Quota, Tier};
/// let tier = Tier::rate("project", Quota::per_minute(600)?)
///     .by(By::tenant())
///     .by(By::key(|asking| Some(asking.headers().get("x-project")?.to_str().ok()?.into())));
/// # let _ = tier;
/// # Ok::<(), bartizan_ratelimit::RateLimitConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By(pub(crate) Part);

/// In the order in which they make up a key: whose it is first, then what it is for, and what anybody may
/// invent last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Account,
    ApiKey,
    Tenant,
    Address(Prefixes),
    Method,
    Tools(Arc<BTreeSet<Box<str>>>),
    Said(Said),
    Session,
}

/// How many bits of an address count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub(crate) v4: u8,
    pub(crate) v6: u8,
}

/// What a closure says.
#[derive(Clone)]
pub(crate) struct Said(Arc<Say>);

type Say = dyn for<'a> Fn(&'a Asking<'a>) -> Option<Cow<'a, str>> + Send + Sync;

/// A request, as a closure of [`By::key`] sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub(crate) call: Option<&'a Call>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) context: &'a SecurityContext,
}

impl By {
    /// The client's address: IPv4 whole, and the first 64 bits of IPv6 (RL-9). Requests without an address
    /// share one bucket.
    pub fn address() -> Self {
        Self(Part::Address(Prefixes::DEFAULT))
    }

    /// The client's network: so many bits of an IPv4 address, 8 to 32, and of an IPv6 address, 16 to 64. Whoever
    /// has one IPv6 address has 2^64 (TR-19).
    pub fn network(v4_bits: u8, v6_bits: u8) -> Self {
        Self(Part::Address(Prefixes {
            v4: v4_bits,
            v6: v6_bits,
        }))
    }

    /// The account: issuer, subject and kind, whatever client it acts through. Without a principal, the address.
    pub fn account() -> Self {
        Self(Part::Account)
    }

    /// The tenant at its issuer. Those without one share a bucket per issuer, and all without a principal one.
    pub fn tenant() -> Self {
        Self(Part::Tenant)
    }

    /// The API key, by its id; one without an id counts as its account. The tier concerns principals whose
    /// method is `apikey`, and no others.
    pub fn api_key() -> Self {
        Self(Part::ApiKey)
    }

    /// The session of the account, for requests with an `Mcp-Session-Id`; others the tier does not concern.
    pub fn session() -> Self {
        Self(Part::Session)
    }

    /// The MCP method. Methods that the protocol does not know share one bucket; `GET`, `DELETE` and posted
    /// responses have one each.
    pub fn method() -> Self {
        Self(Part::Method)
    }

    /// The tool, of these. All others share one bucket: an invented name earns none of its own (RL-11). The tier
    /// concerns `tools/call` only.
    pub fn tools<I: IntoIterator<Item: AsRef<str>>>(names: I) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().into());
        Self(Part::Tools(Arc::new(names.collect())))
    }

    /// What a closure says; a request of which it says `None` the tier does not concern.
    ///
    /// Where strangers choose what it says, each invented value is a bucket of its own, and a fresh burst: say
    /// only what was verified, or count by the account beside it in another tier. Such buckets take at most half
    /// of the table.
    pub fn key(
        say: impl for<'a> Fn(&'a Asking<'a>) -> Option<Cow<'a, str>> + Send + Sync + 'static,
    ) -> Self {
        Self(Part::Said(Said(Arc::new(say))))
    }
}

impl Part {
    /// Where it stands in a key.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Account => 0,
            Self::ApiKey => 1,
            Self::Tenant => 2,
            Self::Address(_) => 3,
            Self::Method => 4,
            Self::Tools(_) => 5,
            Self::Said(_) => 6,
            Self::Session => 7,
        }
    }

    /// Whether it is known before authentication, and before the call is read.
    pub(crate) fn is_known_outside(&self) -> bool {
        matches!(self, Self::Address(_) | Self::Said(_))
    }
}

impl Prefixes {
    pub(crate) const DEFAULT: Self = Self { v4: 32, v6: 64 };

    /// The setting that is out of range, and its value.
    pub(crate) fn check(self) -> Result<(), (&'static str, u8, &'static str)> {
        if !(8..=32).contains(&self.v4) {
            return Err(("IPv4 prefix", self.v4, "is not from 8 to 32"));
        }
        if !(16..=64).contains(&self.v6) {
            return Err(("IPv6 prefix", self.v6, "is not from 16 to 64"));
        }
        Ok(())
    }
}

impl Said {
    pub(crate) fn say<'a>(&self, asking: &'a Asking<'a>) -> Option<Cow<'a, str>> {
        (self.0)(asking)
    }
}

impl PartialEq for Said {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Said {}

impl fmt::Debug for Said {
    /// Which closure it is, for one that stays in place over a change of the limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({:p})", Arc::as_ptr(&self.0))
    }
}

impl<'a> Asking<'a> {
    /// What it asks for; `None` outside authentication, where nobody has read it yet.
    pub fn call(&self) -> Option<&'a Call> {
        self.call
    }

    /// Its header fields. Nobody has verified what they say.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// Who it is from.
    pub fn context(&self) -> &'a SecurityContext {
        self.context
    }
}

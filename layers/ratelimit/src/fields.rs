use std::fmt::Write;

use bartizan_core::Denial;
use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use crate::{
    Quota, RateLimitConfigError,
    limiter::{Standing, Tiers},
};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEGACY: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];

/// What answers tell of limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Not even `RateLimit` on admitted answers; refusals always have it.
    pub(crate) quiet: bool,
    /// `X-RateLimit-*` too.
    pub(crate) legacy: bool,
}

/// The `RateLimit-Policy` of a tier: a burst, and the seconds in which one is earned (RL-3).
///
/// So the quota of a window is never more than what the bucket lets through at once, and the rate
/// that both imply is the one that is sustained (RL-5).
pub(crate) fn policy(
    name: &'static str,
    quota: Quota,
) -> Result<HeaderValue, RateLimitConfigError> {
    let burst = quota.burst_size();
    let window = seconds(quota.interval().saturating_mul(u64::from(burst)));
    let text = format!("\"{name}\";q={burst};w={window}");
    HeaderValue::try_from(text)
        .map_err(|_| RateLimitConfigError::new("tier", name, "is not a name"))
}

/// The fields of one answer.
#[derive(Debug)]
pub(crate) struct Fields(Vec<(HeaderName, HeaderValue)>);

impl Fields {
    /// What the tier that is nearest to its end says (RL-3, RL-4).
    pub(crate) fn of(standing: &Standing, tiers: &Tiers, telling: Telling) -> Option<Self> {
        let tier = tiers.get(standing.tier)?;
        let policy = tier.policy.clone()?;
        let Standing { remaining, .. } = standing;
        let window = seconds(standing.until_more);
        let mut text = String::with_capacity(48);
        // A `String` takes every write.
        let _ = write!(text, "\"{}\";r={remaining};t={window}", tier.name);
        let mut fields = Vec::with_capacity(if telling.legacy { 5 } else { 2 });
        fields.push((RATE_LIMIT_POLICY, policy));
        fields.push((RATE_LIMIT, HeaderValue::try_from(text).ok()?));
        if telling.legacy {
            let numbers = [
                u64::from(tier.quota.burst_size()),
                u64::from(*remaining),
                seconds(standing.until_full),
            ];
            fields.extend(LEGACY.into_iter().zip(numbers.map(HeaderValue::from)));
        }
        Some(Self(fields))
    }

    /// Puts them on a refusal.
    pub(crate) fn on(self, denial: Denial) -> Denial {
        self.0.into_iter().fold(denial, |denial, (name, value)| {
            denial.with_header(name, value)
        })
    }

    /// Adds them to what an inner layer says. One that refused is left alone: its answer speaks of
    /// its own limit (RL-12).
    pub(crate) fn amend(self, headers: &mut HeaderMap) {
        if headers.contains_key(RETRY_AFTER) && headers.contains_key(RATE_LIMIT) {
            return;
        }
        // At once what this layer and those outside of it will add; a full map takes what it can.
        let _ = headers.try_reserve(16);
        for (name, value) in self.0 {
            // The legacy fields hold one number; an inner limit is the nearer one.
            if LEGACY.contains(&name) && headers.contains_key(&name) {
                continue;
            }
            // An answer whose header map is full keeps what it has.
            let _ = headers.try_append(name, value);
        }
    }
}

/// Whole seconds, rounded up: never earlier than it is true.
fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000).max(1)
}

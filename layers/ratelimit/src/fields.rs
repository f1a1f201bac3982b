use bartizan_core::Denial;
use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use crate::{Quota, RateLimitConfigError, limiter::Standing};

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

/// The fields of one answer. In a box what few want: futures carry them.
#[derive(Debug)]
pub(crate) struct Fields {
    policy: HeaderValue,
    limit: HeaderValue,
    legacy: Option<Box<[HeaderValue; 3]>>,
}

impl Fields {
    /// What the tier that is nearest to its end says (RL-3, RL-4).
    pub(crate) fn of(standing: &Standing<'_>, telling: Telling) -> Option<Self> {
        let tier = standing.tier;
        let legacy = telling.legacy.then(|| {
            Box::new([
                standing.quota.burst_size().into(),
                standing.remaining.into(),
                seconds(standing.until_full).into(),
            ])
        });
        Some(Self {
            policy: if standing.quota == tier.quota {
                tier.policy.clone()?
            } else {
                policy(tier.name, standing.quota).ok()?
            },
            limit: limit(tier.name, standing)?,
            legacy,
        })
    }

    /// Puts them on a refusal.
    pub(crate) fn on(self, denial: Denial) -> Denial {
        let denial = denial.with_header(RATE_LIMIT_POLICY, self.policy);
        let denial = denial.with_header(RATE_LIMIT, self.limit);
        let legacy = LEGACY
            .into_iter()
            .zip(self.legacy.into_iter().flat_map(|values| *values));
        legacy.fold(denial, |denial, (name, value)| {
            denial.with_header(name, value)
        })
    }

    /// Adds them to what an inner layer says. One that tells when to come back is left alone: its
    /// answer speaks of its own limit (RL-12). An answer whose header map is full keeps what it has.
    pub(crate) fn amend(self, headers: &mut HeaderMap) {
        if headers.contains_key(RETRY_AFTER) {
            return;
        }
        // At once what this layer and those outside of it will add.
        let _ = headers.try_reserve(16);
        let _ = headers.try_append(RATE_LIMIT_POLICY, self.policy);
        let _ = headers.try_append(RATE_LIMIT, self.limit);
        for (name, value) in LEGACY
            .into_iter()
            .zip(self.legacy.into_iter().flat_map(|values| *values))
        {
            // These hold one number each; an inner limit is the nearer one.
            if !headers.contains_key(&name) {
                let _ = headers.try_append(name, value);
            }
        }
    }
}

/// The `RateLimit` member of a tier.
fn limit(name: &str, standing: &Standing<'_>) -> Option<HeaderValue> {
    let mut text = Text {
        bytes: [0; 64],
        length: 0,
    };
    text.push("\"")?;
    text.push(name)?;
    text.push("\";r=")?;
    text.push(itoa::Buffer::new().format(standing.remaining))?;
    text.push(";t=")?;
    text.push(itoa::Buffer::new().format(seconds(standing.until_more)))?;
    HeaderValue::from_bytes(text.bytes.get(..text.length)?).ok()
}

/// Room for our longest name and the largest numbers; a heap allocation less.
struct Text {
    bytes: [u8; 64],
    length: usize,
}

impl Text {
    #[inline]
    fn push(&mut self, piece: &str) -> Option<()> {
        let end = self.length + piece.len();
        let place = self.bytes.get_mut(self.length..end)?;
        place.copy_from_slice(piece.as_bytes());
        self.length = end;
        Some(())
    }
}

/// Whole seconds, rounded up: never earlier than it is true.
fn seconds(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000_000).max(1)
}

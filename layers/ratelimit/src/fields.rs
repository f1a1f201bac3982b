use bartizan_core::Denial;
use http::{HeaderMap, HeaderName, HeaderValue, header::RETRY_AFTER};

use crate::{RateLimitConfigError, limiter::Standing, tier::Limit};

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
pub(crate) fn policy(name: &str, limit: Limit) -> Result<HeaderValue, RateLimitConfigError> {
    let text = match limit {
        Limit::Rate(quota) => {
            let (burst, window) = (quota.burst_size(), seconds(quota.full()));
            format!("\"{name}\";q={burst};w={window}")
        }
        Limit::Open(most) => format!("\"{name}\";q={most};qu=\"concurrent-requests\""),
    };
    HeaderValue::try_from(text)
        .map_err(|_| RateLimitConfigError::new("tier", name, "is not a name"))
}

/// The fields of one answer. In a box what few want: futures carry them.
#[derive(Debug)]
pub(crate) struct Fields {
    policy: HeaderValue,
    limit: HeaderValue,
    legacy: Option<Box<Legacy>>,
}

/// Of the form before the draft, which holds one number each.
#[derive(Debug)]
struct Legacy {
    remaining: u32,
    values: [HeaderValue; 3],
}

impl Fields {
    /// What the tier that is nearest to its end says (RL-3, RL-4).
    pub(crate) fn of(standing: &Standing<'_>, telling: Telling) -> Option<Self> {
        let rule = standing.rule;
        let own = rule.policy.as_ref()?;
        let policy = match standing.limit == rule.limit {
            true => own.clone(),
            false => policy(&rule.name, standing.limit).ok()?,
        };
        let most = match standing.limit {
            Limit::Rate(quota) => quota.burst_size(),
            Limit::Open(most) => most,
        };
        let legacy = telling.legacy.then(|| {
            Box::new(Legacy {
                remaining: standing.remaining,
                values: [
                    most.into(),
                    standing.remaining.into(),
                    seconds(standing.until_full).into(),
                ],
            })
        });
        Some(Self {
            policy,
            limit: limit(&rule.member, standing)?,
            legacy,
        })
    }

    /// Puts them on a refusal.
    pub(crate) fn on(self, denial: Denial) -> Denial {
        let denial = denial.with_header(RATE_LIMIT_POLICY, self.policy);
        let denial = denial.with_header(RATE_LIMIT, self.limit);
        let values = self.legacy.into_iter().flat_map(|legacy| legacy.values);
        let legacy = LEGACY.into_iter().zip(values);
        legacy.fold(denial, |denial, (name, value)| {
            denial.with_header(name, value)
        })
    }

    /// Adds them to what an inner layer says: lists get one member more, and of single numbers those of the limit
    /// that is nearer to its end stay. An answer whose header map is full keeps what it has.
    pub(crate) fn amend(self, headers: &mut HeaderMap) {
        // At once what this layer and those outside of it will add.
        let _ = headers.try_reserve(16);
        let _ = headers.try_append(RATE_LIMIT_POLICY, self.policy);
        let _ = headers.try_append(RATE_LIMIT, self.limit);
        let Some(legacy) = self.legacy else { return };
        let [_, remaining, _] = &LEGACY;
        if number(headers, remaining).is_none_or(|theirs| u64::from(legacy.remaining) < theirs) {
            for (name, value) in LEGACY.into_iter().zip(legacy.values) {
                let _ = headers.try_insert(name, value);
            }
        }
    }
}

/// Lets a refusal from inside tell nobody to come back before this place admits as well (RL-12).
pub(crate) fn prolong(headers: &mut HeaderMap, wait: u64) {
    let wait = seconds(wait);
    if number(headers, &RETRY_AFTER).is_some_and(|theirs| theirs < wait) {
        headers.insert(RETRY_AFTER, wait.into());
    }
}

/// The whole number that a field holds; dates are left to whoever sent them.
fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The `RateLimit` member of a tier.
fn limit(member: &str, standing: &Standing<'_>) -> Option<HeaderValue> {
    let mut text = Text {
        bytes: [0; 96],
        length: 0,
    };
    text.push(member)?;
    text.push(itoa::Buffer::new().format(standing.remaining))?;
    if let Some(more) = standing.until_more {
        text.push(";t=")?;
        text.push(itoa::Buffer::new().format(seconds(more)))?;
    }
    HeaderValue::from_bytes(text.bytes.get(..text.length)?).ok()
}

/// Room for our longest name and the largest numbers; a heap allocation less.
struct Text {
    bytes: [u8; 96],
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

use std::sync::atomic::{AtomicU64, Ordering};

use bartizan_core::printable;
use http::HeaderValue;

use crate::{Quota, RateLimitConfigError, fields};

/// A kind of bucket, all of one quota.
#[derive(Debug)]
pub(crate) struct Tier {
    /// As header fields name it.
    pub(crate) name: &'static str,
    /// The tool, for a tier of one.
    pub(crate) tool: Option<Box<str>>,
    pub(crate) quota: Quota,
    /// The `RateLimit-Policy` field; `None` for a tier that is nobody's business.
    pub(crate) policy: Option<HeaderValue>,
    pub(crate) is_single: bool,
    /// Nobody configured it: it is told of once it was asked.
    pub(crate) is_implied: bool,
    /// Why it refuses, to the operator.
    pub(crate) reason: String,
    asked: AtomicU64,
    refused: AtomicU64,
}

impl Tier {
    /// A tier with a bucket for each key.
    pub(crate) fn keyed(name: &'static str, quota: Quota) -> Result<Self, RateLimitConfigError> {
        Ok(Self {
            name,
            tool: None,
            quota,
            policy: Some(fields::policy(name, quota)?),
            is_single: false,
            is_implied: false,
            reason: format!("tier `{name}` is used up"),
            asked: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// A tier with one bucket, which is not advertised: it tells how much the server bears (RL-5).
    pub(crate) fn single(name: &'static str, quota: Quota) -> Result<Self, RateLimitConfigError> {
        Ok(Self {
            policy: None,
            is_single: true,
            ..Self::keyed(name, quota)?
        })
    }

    /// That nobody configured.
    pub(crate) fn implied(self) -> Self {
        Self {
            is_implied: true,
            ..self
        }
    }

    /// For one tool.
    pub(crate) fn of_tool(self, tool: &str) -> Self {
        Self {
            tool: Some(tool.into()),
            reason: format!(
                "tier `{}` of `{}` is used up",
                self.name,
                printable(tool, 100)
            ),
            ..self
        }
    }

    pub(crate) fn count(&self, refused: bool) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if refused {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that asked, and those of them that it refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let refused = self.refused.load(Ordering::Relaxed);
        (self.asked.load(Ordering::Relaxed).max(refused), refused)
    }
}

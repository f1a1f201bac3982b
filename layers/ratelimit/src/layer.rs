use tower_layer::Layer;

use crate::{RateLimit, RateLimitRules, RateLimits};

/// Limits calls by whom they come from and what they ask for: the second place of rate limits.
///
/// It goes inside authentication and outside authorization, and it reads the call if no layer
/// outside did. The inner service receives `Request<RequestBody<B>>`. The
/// [crate's documentation](crate) has an example and what it decides.
#[derive(Debug, Clone)]
#[must_use]
pub struct RateLimitLayer {
    rules: RateLimitRules,
}

impl RateLimitLayer {
    /// A layer over limits; layers over clones of the same limits share their buckets.
    pub fn new(limits: RateLimits) -> Self {
        Self {
            rules: RateLimitRules::new(limits.0),
        }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit::new(inner, self.rules.clone())
    }
}

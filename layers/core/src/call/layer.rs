use std::sync::Arc;

use tower_layer::Layer;

use super::{CallGuard, CallLimits, CallRules, CallService, MirroredParams};

/// Reads each request as one MCP call, strictly, and refuses what cannot be read one way only.
///
/// See the [module](super) for what is refused. On its own it makes sure that the inner service
/// sees only unambiguous messages whose mirrored headers tell the truth; layers inside find the
/// parsed [`Call`](super::Call) in the [`SecurityContext`](crate::SecurityContext) and do not
/// parse again. It goes inside authentication (TV-1) and around nothing but the MCP endpoint.
///
/// The inner service receives `Request<RequestBody<B>>`.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct CallLayer {
    rules: CallRules,
}

impl CallLayer {
    /// With the default limits.
    pub const fn new() -> Self {
        Self::with_limits(CallLimits::new())
    }

    /// With limits of your own.
    pub const fn with_limits(limits: CallLimits) -> Self {
        Self {
            rules: CallRules {
                limits,
                params: None,
            },
        }
    }

    /// Also compares `Mcp-Param-*` headers with the arguments that they mirror (N-7). Without this
    /// they are only single and decodable.
    pub fn mirrored_params(mut self, params: MirroredParams) -> Self {
        self.rules.params = Some(Arc::new(params));
        self
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallGuard::new(inner, self.rules.clone())
    }
}

use tower_layer::Layer;

use super::{CallLimits, CallService};

/// Reads each request as one MCP call, strictly, and refuses what cannot be read one way only.
///
/// See the [module](super) for what is refused. On its own it makes sure that the inner service
/// sees only unambiguous messages whose mirrored headers tell the truth; layers inside find the
/// parsed [`Call`](super::Call) in the [`SecurityContext`](crate::SecurityContext) and do not
/// parse again. It goes inside authentication (TV-1) and around nothing but the MCP endpoint.
///
/// The inner service receives `Request<RequestBody<B>>`.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct CallLayer {
    limits: CallLimits,
}

impl CallLayer {
    /// With the default limits.
    pub const fn new() -> Self {
        Self {
            limits: CallLimits::new(),
        }
    }

    /// With limits of your own.
    pub const fn with_limits(limits: CallLimits) -> Self {
        Self { limits }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> CallService<S> {
        CallService::new(inner, self.limits)
    }
}

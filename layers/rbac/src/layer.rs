use std::sync::Arc;

use bartizan_core::CallLimits;
use tower_layer::Layer;

use crate::{Policy, Rbac, RbacRules};

/// Lets a call pass if the policy permits it to the principal that an outer layer stamped.
///
/// The [crate's documentation](crate) has an example and the order of its decisions.
#[derive(Debug, Clone)]
#[must_use]
pub struct RbacLayer {
    rules: RbacRules,
}

impl RbacLayer {
    /// A layer that judges by this policy. An `Arc<Policy>` can be shared with handlers.
    pub fn new(policy: impl Into<Arc<Policy>>) -> Self {
        Self {
            rules: RbacRules {
                policy: policy.into(),
                limits: CallLimits::new(),
            },
        }
    }

    /// What a call may measure (IV-6, IV-7). By default [`CallLimits::new`].
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        self.rules.limits = limits;
        self
    }
}

impl<S> Layer<S> for RbacLayer {
    type Service = Rbac<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Rbac::new(inner, self.rules.clone())
    }
}

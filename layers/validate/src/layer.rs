use std::{collections::HashMap, sync::Arc};

use bartizan_core::CallLimits;
use tower_layer::Layer;

use crate::{ArgumentLimits, Validate, ValidateRules};

/// Lets a call of a tool pass if its arguments are what they may be.
///
/// The [crate's documentation](crate) has an example and the order of its decisions.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ValidateLayer {
    rules: ValidateRules,
}

impl ValidateLayer {
    /// A layer with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// What arguments may measure that no other limits are set for.
    pub fn limits(mut self, limits: ArgumentLimits) -> Self {
        self.rules.limits = limits;
        self
    }

    /// What the arguments of this tool may measure, instead.
    pub fn tool_limits(mut self, tool: &str, limits: ArgumentLimits) -> Self {
        Arc::make_mut(&mut self.rules.tools).insert(tool.into(), limits);
        self
    }

    /// What a call may measure (IV-6, IV-7). By default [`CallLimits::new`].
    pub fn call_limits(mut self, limits: CallLimits) -> Self {
        self.rules.call_limits = limits;
        self
    }
}

impl<S> Layer<S> for ValidateLayer {
    type Service = Validate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Validate::new(inner, self.rules.clone())
    }
}

pub(crate) type Tools = HashMap<Box<str>, ArgumentLimits>;

use std::{error::Error, fmt};

use bartizan_core::printable;

/// A limit that is unsafe, contradictory or out of range; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitConfigError {
    setting: &'static str,
    value: String,
    problem: &'static str,
}

impl RateLimitConfigError {
    pub(crate) fn new(
        setting: &'static str,
        value: impl fmt::Display,
        problem: &'static str,
    ) -> Self {
        Self {
            setting,
            value: value.to_string(),
            problem,
        }
    }
}

impl fmt::Display for RateLimitConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 200);
        write!(f, "{} `{value}` {}", self.setting, self.problem)
    }
}

impl Error for RateLimitConfigError {}

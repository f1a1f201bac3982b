use std::{error::Error, fmt};

use bartizan_core::printable;

/// A setting that is unsafe, contradictory or unreadable; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsConfigError {
    setting: &'static str,
    value: String,
    problem: String,
}

impl AlertsConfigError {
    pub(crate) fn new(
        setting: &'static str,
        value: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            setting,
            value: value.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for AlertsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, problem) = (printable(&self.value, 260), printable(&self.problem, 260));
        write!(f, "{} `{value}` {problem}", self.setting)
    }
}

impl Error for AlertsConfigError {}

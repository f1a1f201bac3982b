use std::{error::Error, fmt};

use bartizan_core::printable;
use bartizan_sensitive::SensitiveConfigError;

/// A setting that is unsafe, contradictory or unreadable; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfigError {
    setting: &'static str,
    value: String,
    problem: String,
}

impl AuditConfigError {
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

impl fmt::Display for AuditConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, problem) = (printable(&self.value, 260), printable(&self.problem, 260));
        write!(f, "{} `{value}` {problem}", self.setting)
    }
}

impl Error for AuditConfigError {}

impl From<SensitiveConfigError> for AuditConfigError {
    fn from(error: SensitiveConfigError) -> Self {
        Self::new(error.setting(), error.value(), error.problem())
    }
}

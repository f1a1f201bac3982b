use std::{error::Error, fmt};

use bartizan_core::printable;

/// A configuration that is unsafe, contradictory or incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyConfigError {
    setting: &'static str,
    value: Option<String>,
    problem: &'static str,
}

impl ApiKeyConfigError {
    /// For a value that may be shown.
    pub(crate) fn new(
        setting: &'static str,
        value: impl Into<String>,
        problem: &'static str,
    ) -> Self {
        Self {
            setting,
            value: Some(value.into()),
            problem,
        }
    }

    /// For values that are absent, or must not be shown.
    pub(crate) fn of(setting: &'static str, problem: &'static str) -> Self {
        Self {
            setting,
            value: None,
            problem,
        }
    }

    /// The setting at fault as it is called in the configuration.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for ApiKeyConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting, problem, ..
        } = self;
        match &self.value {
            Some(value) => write!(f, "{setting} `{}` {problem}", printable(value, 200)),
            None => write!(f, "{setting} {problem}"),
        }
    }
}

impl Error for ApiKeyConfigError {}

use std::{error::Error, fmt};

use bartizan_core::printable;

/// A configuration that is unsafe, contradictory or incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtConfigError {
    setting: &'static str,
    value: Option<String>,
    problem: &'static str,
}

impl JwtConfigError {
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

    pub(crate) fn missing(setting: &'static str) -> Self {
        Self::of(setting, "is missing or empty")
    }

    /// For values that are absent, or must not be shown.
    pub(crate) fn of(setting: &'static str, problem: &'static str) -> Self {
        Self {
            setting,
            value: None,
            problem,
        }
    }

    /// The setting at fault, as it is called in [`JwtConfig`](crate::JwtConfig).
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for JwtConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(
                f,
                "{} `{}` {}",
                self.setting,
                printable(value, 200),
                self.problem
            ),
            None => write!(f, "{} {}", self.setting, self.problem),
        }
    }
}

impl Error for JwtConfigError {}

/// No key to check signatures with could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysUnavailable {
    pub(crate) reason: String,
}

impl fmt::Display for KeysUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no verification keys: {}", self.reason)
    }
}

impl Error for KeysUnavailable {}

use std::{error::Error, fmt, ops::RangeInclusive};

use bartizan_core::printable;

/// A configuration that is unsafe, contradictory or incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenConfigError {
    setting: &'static str,
    value: Option<String>,
    problem: &'static str,
}

impl TokenConfigError {
    /// For a value that may be shown.
    pub fn new(setting: &'static str, value: impl Into<String>, problem: &'static str) -> Self {
        Self {
            setting,
            value: Some(value.into()),
            problem,
        }
    }

    /// For a setting that is required.
    pub fn missing(setting: &'static str) -> Self {
        Self::of(setting, "is missing or empty")
    }

    /// For values that are absent, or must not be shown.
    pub fn of(setting: &'static str, problem: &'static str) -> Self {
        Self {
            setting,
            value: None,
            problem,
        }
    }

    /// Whether a number is in the range that its setting's documentation tells.
    ///
    /// # Errors
    ///
    /// If it is not; the error names the setting and the number.
    pub fn in_range(
        setting: &'static str,
        value: u64,
        range: RangeInclusive<u64>,
    ) -> Result<(), Self> {
        let problem = "is out of range: see its documentation";
        let is_in_range = range.contains(&value).then_some(());
        is_in_range.ok_or_else(|| Self::new(setting, value.to_string(), problem))
    }

    /// The setting at fault as it is called in the configuration.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for TokenConfigError {
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

impl Error for TokenConfigError {}

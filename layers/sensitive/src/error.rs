use std::{error::Error, fmt};

use bartizan_core::printable;

/// A setting that is unsafe or unreadable; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitiveConfigError {
    setting: &'static str,
    value: String,
    problem: &'static str,
}

impl SensitiveConfigError {
    pub(crate) fn new(
        setting: &'static str,
        value: impl Into<String>,
        problem: &'static str,
    ) -> Self {
        Self {
            setting,
            value: value.into(),
            problem,
        }
    }

    /// What is wrong is set so: `name`, `key`, `depth`, `bytes`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The value that is refused; of a key its number.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for SensitiveConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 100);
        write!(f, "{} `{value}` {}", self.setting, self.problem)
    }
}

impl Error for SensitiveConfigError {}

use std::{error::Error, fmt};

use bartizan_core::printable;

/// A setting that makes no sense; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectConfigError {
    setting: &'static str,
    value: String,
    problem: &'static str,
}

impl DetectConfigError {
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

    /// What is wrong is set so: `credential_stuffing`, `networks`, `honey_tools`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    /// The value that is refused.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for DetectConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 100);
        write!(f, "{} `{value}` {}", self.setting, self.problem)
    }
}

impl Error for DetectConfigError {}

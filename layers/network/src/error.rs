use std::{error::Error, fmt};

use bartizan_core::printable;

/// A setting that is unsafe, contradictory or unreadable; the message names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfigError {
    setting: &'static str,
    value: String,
    problem: &'static str,
}

impl NetworkConfigError {
    pub(crate) fn new(setting: &'static str, value: &str, problem: &'static str) -> Self {
        Self {
            setting,
            value: value.to_owned(),
            problem,
        }
    }
}

impl fmt::Display for NetworkConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 260);
        write!(f, "{} `{value}` {}", self.setting, self.problem)
    }
}

impl Error for NetworkConfigError {}

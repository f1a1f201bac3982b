use std::{borrow::Cow, error::Error, fmt};

use bartizan_core::printable;

/// A configuration that is misspelt, contradictory or unsafe; the message names the offending value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidateConfigError {
    setting: &'static str,
    value: String,
    problem: Cow<'static, str>,
}

impl ValidateConfigError {
    pub(crate) fn new(
        setting: &'static str,
        value: &str,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            setting,
            value: value.to_owned(),
            problem: problem.into(),
        }
    }

    /// Unless the number is within these bounds.
    pub(crate) fn unless_within(
        setting: &'static str,
        value: usize,
        least: usize,
        most: usize,
    ) -> Result<usize, Self> {
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        let problem = format!("is not within {least} to {most}");
        Err(Self::new(setting, &value.to_string(), problem))
    }
}

impl fmt::Display for ValidateConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 200);
        write!(f, "{} `{value}` {}", self.setting, self.problem)
    }
}

impl Error for ValidateConfigError {}

use std::{borrow::Cow, error::Error, fmt};

use bartizan_core::printable;

/// A setting that is unsafe or unreadable; its text names the offending value, and of a key only how
/// long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfigError {
    what: &'static str,
    value: String,
    problem: Cow<'static, str>,
}

impl SessionConfigError {
    pub(crate) fn new(
        what: &'static str,
        value: impl Into<String>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            what,
            value: value.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for SessionConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value, 120);
        write!(f, "{} `{value}` {}", self.what, self.problem)
    }
}

impl Error for SessionConfigError {}

use std::{error::Error, fmt};

use bartizan_core::printable;

/// A setting that is unsafe, contradictory or unreadable; its text names the offending value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsConfigError {
    what: &'static str,
    value: String,
    problem: &'static str,
}

impl CorsConfigError {
    pub(crate) fn new(what: &'static str, value: impl Into<String>, problem: &'static str) -> Self {
        Self {
            what,
            value: value.into(),
            problem,
        }
    }

    /// The value as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for CorsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            value,
            problem,
        } = self;
        write!(f, "{what} `{}` {problem}", printable(value, 120))
    }
}

impl Error for CorsConfigError {}

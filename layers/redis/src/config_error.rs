use std::{error::Error, fmt};

/// A setting that makes no sense, or is unsafe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisConfigError {
    setting: &'static str,
    value: String,
    problem: &'static str,
}

impl RedisConfigError {
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

    /// The setting: `url`, `max_entries`.
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for RedisConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            value,
            problem,
        } = self;
        write!(f, "{setting} `{value}` {problem}")
    }
}

impl Error for RedisConfigError {}

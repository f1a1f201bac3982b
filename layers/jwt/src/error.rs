use std::{error::Error, fmt};

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

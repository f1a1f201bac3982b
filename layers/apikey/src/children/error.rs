use std::{error::Error, fmt};

use crate::ApiKeyConfigError;

/// Why a child was not derived.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttenuationError {
    /// The text is neither a key of this form nor a child of one.
    NoKey,
    /// What the child was to be narrowed to can't be.
    Setting(ApiKeyConfigError),
    /// It would be a child of the fourth degree's.
    TooDeep,
    /// Whoever made this child wanted it to have none.
    NoChildren,
    /// The child's text would have more than 4096 characters.
    TooLong,
    /// The system gave no random bytes.
    NoRandomness,
}

impl From<ApiKeyConfigError> for AttenuationError {
    fn from(error: ApiKeyConfigError) -> Self {
        Self::Setting(error)
    }
}

impl fmt::Display for AttenuationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("this is no key, and no child of one"),
            Self::Setting(error) => error.fmt(f),
            Self::TooDeep => f.write_str("a chain of children has at most four links"),
            Self::NoChildren => f.write_str("this child may have no children"),
            Self::TooLong => f.write_str("the child would have more than 4096 characters"),
            Self::NoRandomness => f.write_str("the system gave no random bytes"),
        }
    }
}

impl Error for AttenuationError {}

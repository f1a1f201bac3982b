use std::{error::Error, fmt};

use bartizan_core::auth::NotRevoked;

use crate::{ApiKeyConfigError, KeyId, StoreError};

/// Why a key was not issued, rotated or revoked.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// What was asked for can't be.
    Grant(ApiKeyConfigError),
    /// The text is no key.
    NoKey,
    /// The text is a child of this key. To end it before its time, revoke the key.
    Child(KeyId),
    /// The key is this honey key: it is never good, and nothing takes its place. It stays, so that whoever shows it is
    /// found out.
    Honey(KeyId),
    /// The key is revoked, has expired, or another one took its place already; to be rotated again, it
    /// must have one that nobody used.
    NotRotated,
    /// There is no room at the moment to verify a key of another system; see `ImportConfig`.
    Busy,
    /// The system gave no random bytes.
    NoRandomness,
    /// The store has it, but this process has no room to remember it before the store is asked again.
    NotDistrusted(NotRevoked),
    /// The store did not do it.
    Store(StoreError),
}

impl From<ApiKeyConfigError> for KeyError {
    fn from(error: ApiKeyConfigError) -> Self {
        Self::Grant(error)
    }
}

impl From<StoreError> for KeyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(error) => error.fmt(f),
            Self::NoKey => f.write_str("this is no key"),
            Self::Child(id) => write!(f, "this is a child of key `{id}`, and ends with that"),
            Self::Honey(id) => write!(f, "key `{id}` is a honey key, and stays what it is"),
            Self::NotRotated => f.write_str(
                "the key is revoked, has expired, or has a successor; to be rotated again, it needs one that nobody used",
            ),
            Self::Busy => f.write_str("there is no room to verify the key at the moment"),
            Self::NoRandomness => f.write_str("the system gave no random bytes"),
            Self::NotDistrusted(_) => {
                f.write_str("the key is revoked, and may be remembered as good a while longer")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}

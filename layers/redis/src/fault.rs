use std::{error::Error, fmt};

use bartizan_core::printable;
use redis::{ErrorKind, RedisError};

/// Why Redis gave no answer that is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisFault {
    kind: RedisFaultKind,
    detail: String,
}

/// What sort of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisFaultKind {
    /// No connection, or one that broke.
    Unreachable,
    /// No answer in time. Whether the command was executed is not known.
    TimedOut,
    /// Redis refused the command, or whoever sent it.
    Refused,
    /// An answer that is none to the command.
    Unreadable,
}

impl RedisFault {
    pub(crate) fn timed_out() -> Self {
        Self {
            kind: RedisFaultKind::TimedOut,
            detail: "no answer in time".to_owned(),
        }
    }

    pub(crate) fn unreadable(detail: &str) -> Self {
        Self {
            kind: RedisFaultKind::Unreadable,
            detail: detail.to_owned(),
        }
    }

    /// What sort of fault it is.
    pub fn kind(&self) -> RedisFaultKind {
        self.kind
    }
}

impl From<RedisError> for RedisFault {
    fn from(error: RedisError) -> Self {
        let kind = if error.is_timeout() {
            RedisFaultKind::TimedOut
        } else if matches!(
            error.kind(),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType
        ) {
            RedisFaultKind::Unreadable
        } else if error.kind() == ErrorKind::AuthenticationFailed {
            RedisFaultKind::Refused
        } else if error.is_io_error() || error.is_unrecoverable_error() {
            RedisFaultKind::Unreachable
        } else {
            RedisFaultKind::Refused
        };
        let detail = error.to_string();
        Self {
            kind,
            detail: printable(&detail, 200).to_string(),
        }
    }
}

impl fmt::Display for RedisFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for RedisFault {}

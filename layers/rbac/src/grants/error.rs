use std::{error::Error, fmt, time::Duration};

use bartizan_core::printable;

/// Why a grant was **not** given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantError {
    /// It is to nobody: without issuer or subject.
    ToNobody,
    /// It names no role, more than 16, one twice, or what is no role's name; which.
    Role(String),
    /// A text is longer than 256 bytes, a name than 1024; which.
    TooLong(&'static str),
    /// It has no end.
    NoEnd,
    /// It is over already, or ends before it begins.
    Over,
    /// It lasts longer than this, which is the most.
    TooLongLasting(Duration),
    /// It begins more than 30 days from now.
    TooFarAhead,
    /// Nobody gives it.
    NobodyGives,
    /// Whom it is to gives it: a second pair of eyes is needed.
    ToThemselves,
    /// There is no room for another one, nor for another one of whom it is to; nothing is dropped for it.
    Full,
    /// The system gave no randomness for an id.
    NoRandomness,
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToNobody => f.write_str("the grant is to nobody"),
            Self::Role(role) => {
                let role = printable(role, 128);
                write!(
                    f,
                    "role `{role}` is none, is there twice, or is one of none or too many"
                )
            }
            Self::TooLong(which) => write!(f, "the {which} of the grant is too long"),
            Self::NoEnd => f.write_str("the grant has no end"),
            Self::Over => f.write_str("the grant is over before it begins"),
            Self::TooLongLasting(most) => {
                write!(f, "the grant lasts longer than {} seconds", most.as_secs())
            }
            Self::TooFarAhead => f.write_str("the grant begins more than 30 days from now"),
            Self::NobodyGives => f.write_str("nobody gives the grant"),
            Self::ToThemselves => f.write_str("the grant is to whom it is given by"),
            Self::Full => f.write_str("there is no room for another grant"),
            Self::NoRandomness => f.write_str("there is no randomness for an id"),
        }
    }
}

impl Error for GrantError {}

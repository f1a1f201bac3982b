use std::{borrow::Cow, error::Error, fmt, time::Duration};

use bartizan_token::Fault;

/// Why a credential is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Refusal {
    /// It is bad.
    Fault(Fault),
    /// Nothing is known of it: why, and when to come back.
    Down(Cow<'static, str>, Duration),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => f.write_str(fault),
            Self::Down(reason, _) => write!(f, "nothing is known of the credential: {reason}"),
        }
    }
}

impl Error for Refusal {}

impl Refusal {
    pub(crate) fn shortly(reason: &'static str) -> Self {
        Self::Down(reason.into(), SHORTLY)
    }
}

/// What is told to those for whom there is no room at the moment.
pub(crate) const SHORTLY: Duration = Duration::from_secs(1);

use std::{fmt, time::Duration};

use bartizan_core::printable;

use crate::id::id;

id! {
    /// How a grant is called in records, and taken back.
    GrantId
}

/// A grant that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct GivenGrant {
    /// How records call it.
    pub id: GrantId,
    /// Who vouches for whom it is to.
    pub issuer: String,
    /// Whom it is to, at its issuer.
    pub subject: String,
    /// Whether it is to a program that acts for itself, and not to a person.
    pub is_service: bool,
    /// The one client through which it counts; any, if `None`.
    pub client: Option<String>,
    /// The one tenant in which it counts; any, if `None`.
    pub tenant: Option<String>,
    /// The roles, as they were named.
    pub roles: Vec<String>,
    /// From when on, in seconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub from: Duration,
    /// When it is over, in seconds since the Unix epoch.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub until: Duration,
    /// Why.
    pub reason: String,
    /// Who gave it.
    pub by: String,
}

#[cfg(feature = "serde")]
fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
}

impl fmt::Display for GivenGrant {
    /// For a record: on one line, and bounded.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant `{}`", self.id)?;
        if !self.reason.is_empty() {
            write!(f, " for `{}`", printable(&self.reason, 100))?;
        }
        write!(f, " by `{}`", printable(&self.by, 100))
    }
}

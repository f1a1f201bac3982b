use std::fmt;

use crate::printable;

/// What a handler needs its caller to have; see [`Caller::require`](super::Caller::require).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need<'a> {
    /// A role, itself or through a role that includes it.
    Role(&'a str),
    /// One of several roles.
    AnyRole(&'a [&'a str]),
    /// A capability that one of the caller's roles grants.
    Capability(&'a str),
}

impl<'a> Need<'a> {
    /// A role, itself or through a role that includes it.
    pub fn role(role: &'a str) -> Self {
        Self::Role(role)
    }

    /// One of several roles; nobody has one of none.
    pub fn any_role(roles: &'a [&'a str]) -> Self {
        Self::AnyRole(roles)
    }

    /// A capability that one of the caller's roles grants.
    pub fn capability(capability: &'a str) -> Self {
        Self::Capability(capability)
    }
}

impl fmt::Display for Need<'_> {
    /// For records: a handler may have made the name out of what its caller sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => write!(f, "role `{}`", printable(role, 128)),
            Self::AnyRole(roles) => {
                let roles = roles.join("` or `");
                write!(f, "role `{}`", printable(&roles, 300))
            }
            Self::Capability(name) => write!(f, "capability `{}`", printable(name, 128)),
        }
    }
}

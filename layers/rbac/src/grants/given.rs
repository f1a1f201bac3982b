use std::{
    cmp::Ordering,
    fmt,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use bartizan_core::{Principal, PrincipalKind, printable};

use crate::{
    id::id,
    moment::{Moment, Now},
};

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

/// A grant among those that hold.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) grant: GivenGrant,
    pub(super) begins: Moment,
    pub(super) ends: Moment,
    /// Once over it stays so, though a clock may be set back.
    pub(super) is_over: AtomicBool,
}

impl Held {
    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        self.grant.roles.iter().map(String::as_str)
    }

    pub(super) fn is_over(&self, now: &Now) -> bool {
        if self.ends.has_come(now) {
            self.is_over.store(true, Relaxed);
        }
        self.is_over.load(Relaxed)
    }

    /// Whether it counts for whom it is ordered by.
    pub(super) fn counts(&self, principal: &Principal, now: &Now) -> bool {
        let only = |one: &Option<String>, of: Option<&str>| one.is_none() || one.as_deref() == of;
        only(&self.grant.client, principal.client_id())
            && only(&self.grant.tenant, principal.tenant())
            && self.begins.has_surely_come(now)
            && !self.is_over(now)
    }

    /// Grants are kept in the order of whom they are to.
    pub(super) fn order(&self, issuer: &str, subject: &str, is_service: bool) -> Ordering {
        let mine = (
            &*self.grant.issuer,
            &*self.grant.subject,
            self.grant.is_service,
        );
        mine.cmp(&(issuer, subject, is_service))
    }
}

/// Whether it is a program; `None` if nobody in particular.
pub(super) fn is_service(kind: PrincipalKind) -> Option<bool> {
    match kind {
        PrincipalKind::User => Some(false),
        PrincipalKind::Service => Some(true),
        _ => None,
    }
}

use std::{
    cmp::Ordering,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use bartizan_core::{Principal, PrincipalKind};

use super::{GivenGrant, Giver, Grant, GrantError, GrantId, grant::End};
use crate::moment::{Moment, Now};

/// How far from now a grant may begin.
pub(super) const MOST_AHEAD: Duration = Duration::from_secs(30 * 86_400);

/// A grant among those that hold.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) grant: GivenGrant,
    begins: Moment,
    pub(super) ends: Moment,
    /// Once over it stays so, though a clock may be set back.
    is_over: AtomicBool,
}

impl Held {
    /// Checks its times.
    pub(super) fn new(
        id: GrantId,
        grant: Grant,
        by: Giver,
        at_most: Duration,
        now: &Now,
    ) -> Result<Self, GrantError> {
        let from = grant.from.unwrap_or_default().max(now.wall);
        if from.saturating_sub(now.wall) > MOST_AHEAD {
            return Err(GrantError::TooFarAhead);
        }
        let until = match grant.end {
            Some(End::At(until)) => until,
            Some(End::After(time)) => from.saturating_add(time),
            None => return Err(GrantError::NoEnd),
        };
        if until <= from {
            return Err(GrantError::Over);
        }
        if until.saturating_sub(from) > at_most {
            return Err(GrantError::TooLongLasting(at_most));
        }
        Ok(Self {
            begins: if from > now.wall {
                Moment::at(from, now)
            } else {
                Moment::PAST
            },
            ends: Moment::at(until, now),
            is_over: AtomicBool::new(false),
            grant: GivenGrant {
                id,
                issuer: grant.issuer,
                subject: grant.subject,
                is_service: is_service(grant.kind).unwrap_or_default(),
                client: grant.client,
                tenant: grant.tenant,
                roles: grant.roles,
                from,
                until,
                reason: grant.reason,
                by: by.shown,
            },
        })
    }

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

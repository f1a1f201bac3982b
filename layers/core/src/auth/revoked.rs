use std::{collections::HashMap, time::Duration};

use crate::Principal;

/// What is revoked of one issuer's, each with the time at which it may be forgotten.
#[derive(Default)]
pub(super) struct OfIssuer {
    credentials: HashMap<Box<str>, Duration>,
    sessions: HashMap<Box<str>, Duration>,
    subjects: HashMap<Box<str>, Cut>,
}

/// Everything issued until then is revoked.
#[derive(Default, Clone, Copy)]
struct Cut {
    at: Duration,
    until: Duration,
}

/// What is revoked.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    Credential(&'a str),
    Session(&'a str),
    /// Up to a time.
    Subject(&'a str, Duration),
}

/// How long something stays beyond its time: as far as clocks may differ.
pub(super) const SLACK: Duration = Duration::from_secs(300);

impl OfIssuer {
    pub(super) fn len(&self) -> usize {
        self.credentials.len() + self.sessions.len() + self.subjects.len()
    }

    pub(super) fn knows(&self, what: What<'_>) -> bool {
        match what {
            What::Credential(id) => self.credentials.contains_key(id),
            What::Session(id) => self.sessions.contains_key(id),
            What::Subject(subject, _) => self.subjects.contains_key(subject),
        }
    }

    /// Why the principal's credential is revoked, if it is. An issuer's clock may be ahead by `skew`.
    /// What may be forgotten `now` counts as forgotten.
    pub(super) fn find(
        &self,
        principal: &Principal,
        skew: Duration,
        now: impl Fn() -> Duration,
    ) -> Option<&'static str> {
        let is_held = |until: &Duration| !is_past(*until, now());
        if let Some(id) = principal.credential_id()
            && self.credentials.get(id).is_some_and(is_held)
        {
            return Some("the credential is revoked");
        }
        let claims = principal.claims();
        if let Some(session) = claims.get("sid").and_then(serde_json::Value::as_str)
            && self.sessions.get(session).is_some_and(is_held)
        {
            return Some("the session is revoked");
        }
        let cut = self.subjects.get(principal.subject())?;
        if !is_held(&cut.until) {
            return None;
        }
        let latest = cut.at.saturating_add(skew).as_secs_f64();
        let issued_at = claims.get("iat").and_then(serde_json::Value::as_f64);
        let is_newer = issued_at.is_some_and(|at| at > latest);
        (!is_newer).then_some("what the subject was issued until then is revoked")
    }

    /// Revokes; what is known already is revoked for as long as either says, and up to the later time.
    /// Whether that changed anything.
    pub(super) fn put(&mut self, what: What<'_>, until: Duration) -> bool {
        let mut is_changed = false;
        let known = match what {
            What::Credential(id) => self.credentials.entry(id.into()).or_default(),
            What::Session(id) => self.sessions.entry(id.into()).or_default(),
            What::Subject(subject, at) => {
                let cut = self.subjects.entry(subject.into()).or_default();
                is_changed = at > cut.at;
                cut.at = at.max(cut.at);
                &mut cut.until
            }
        };
        is_changed |= until > *known;
        *known = until.max(*known);
        is_changed
    }

    /// Forgets what has expired by itself; how many are left.
    pub(super) fn forget(&mut self, now: Duration) -> usize {
        self.credentials.retain(|_, until| !is_past(*until, now));
        self.sessions.retain(|_, until| !is_past(*until, now));
        self.subjects.retain(|_, cut| !is_past(cut.until, now));
        self.len()
    }
}

pub(super) fn is_past(until: Duration, now: Duration) -> bool {
    until.saturating_add(SLACK) <= now
}

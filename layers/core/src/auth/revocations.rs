use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::{Clock, Principal, SystemClock};

/// Credentials that are not to be believed any more though they have not expired.
///
/// A local list that authenticators look into on every request, also where they remember what they
/// verified, so a revocation holds from the next request on. What fills it is the application's
/// affair: an administrator's command, the issuer's logout notices, a channel between its nodes.
/// Clones share the list.
///
/// ```
/// use std::time::Duration;
/// use bartizan_core::{Principal, auth::Revocations};
///
/// let revocations = Revocations::new();
/// let token = Principal::user("https://auth.example.com", "ann")
///     .credential_id("token-17")
///     .build("jwt");
/// assert!(revocations.find(&token).is_none());
///
/// let in_an_hour = revocations.now() + Duration::from_secs(3600);
/// revocations.revoke_credential("https://auth.example.com", "token-17", in_an_hour)?;
/// assert!(revocations.find(&token).is_some());
/// # Ok::<(), bartizan_core::auth::RevocationsFull>(())
/// ```
#[derive(Clone)]
pub struct Revocations(Arc<Shared>);

struct Shared {
    capacity: usize,
    clock: Arc<dyn Clock>,
    /// While there are none, nobody takes the lock.
    count: AtomicUsize,
    issuers: RwLock<HashMap<Box<str>, OfIssuer>>,
}

/// What is revoked of one issuer's, each with the time at which it may be forgotten.
#[derive(Default)]
struct OfIssuer {
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
enum What<'a> {
    Credential(&'a str),
    Session(&'a str),
    /// Up to a time.
    Subject(&'a str, Duration),
}

/// The list is full, and nothing in it may be forgotten yet: the revocation has **no effect**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationsFull;

/// How long something stays beyond its time: as far as clocks may differ.
const SLACK: Duration = Duration::from_secs(300);

impl Revocations {
    /// Revocations that are held unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// An empty list.
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// An empty list with room for so many revocations.
    pub fn with_capacity(revocations: usize) -> Self {
        Self::with_clock(revocations, SystemClock::new())
    }

    /// The same by another clock.
    pub fn with_clock(revocations: usize, clock: impl Clock) -> Self {
        Self(Arc::new(Shared {
            capacity: revocations,
            clock: Arc::new(clock),
            count: AtomicUsize::new(0),
            issuers: RwLock::default(),
        }))
    }

    /// The time since the Unix epoch, by the list's clock.
    pub fn now(&self) -> Duration {
        self.0.clock.wall()
    }

    /// Revokes one credential by its id: a token by its `jti`, a key by its id.
    ///
    /// `until` is when it expires by itself, since the Unix epoch; five minutes after that the
    /// revocation is forgotten.
    ///
    /// # Errors
    ///
    /// If there is no room. Then the credential is still good.
    pub fn revoke_credential(
        &self,
        issuer: &str,
        id: &str,
        until: Duration,
    ) -> Result<(), RevocationsFull> {
        self.put(issuer, What::Credential(id), until)
    }

    /// Revokes all tokens of a session, which name it in their claim `sid`.
    ///
    /// `until` is when the last of them has expired.
    ///
    /// # Errors
    ///
    /// If there is no room. Then the session's tokens are still good.
    pub fn revoke_session(
        &self,
        issuer: &str,
        session: &str,
        until: Duration,
    ) -> Result<(), RevocationsFull> {
        self.put(issuer, What::Session(session), until)
    }

    /// Revokes whatever a subject, person or program, was issued until now, by the claim `iat`; what
    /// does not tell when it was issued counts as older. What it is issued from the next second on
    /// is good.
    ///
    /// `until` is when the last of it has expired.
    ///
    /// # Errors
    ///
    /// If there is no room. Then the subject's credentials are still good.
    pub fn revoke_subject(
        &self,
        issuer: &str,
        subject: &str,
        until: Duration,
    ) -> Result<(), RevocationsFull> {
        self.put(issuer, What::Subject(subject, self.now()), until)
    }

    /// Whether the principal's credential is revoked; why, for the operator.
    pub fn find(&self, principal: &Principal) -> Option<&'static str> {
        if self.is_empty() || principal.is_anonymous() {
            return None;
        }
        let issuers = self.0.issuers.read();
        let issuers = issuers.unwrap_or_else(PoisonError::into_inner);
        let list = issuers.get(principal.issuer())?;
        if let Some(id) = principal.credential_id()
            && list.credentials.contains_key(id)
        {
            return Some("the credential is revoked");
        }
        let claims = principal.claims();
        if let Some(session) = claims.get("sid").and_then(serde_json::Value::as_str)
            && list.sessions.contains_key(session)
        {
            return Some("the session is revoked");
        }
        let cut = list.subjects.get(principal.subject())?;
        let issued_at = claims.get("iat").and_then(serde_json::Value::as_f64);
        let is_newer = issued_at.is_some_and(|at| at > cut.at.as_secs_f64());
        (!is_newer).then_some("what the subject was issued until then is revoked")
    }

    /// How many revocations are held.
    pub fn len(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, issuer: &str, what: What<'_>, until: Duration) -> Result<(), RevocationsFull> {
        let now = self.now();
        if is_past(until, now) {
            return Ok(());
        }
        let issuers = self.0.issuers.write();
        let mut issuers = issuers.unwrap_or_else(PoisonError::into_inner);
        if self.len() >= self.0.capacity {
            issuers.retain(|_, list| list.forget(now) > 0);
        }
        let count: usize = issuers.values().map(OfIssuer::len).sum();
        let is_known = issuers.get(issuer).is_some_and(|list| list.knows(what));
        if count >= self.0.capacity && !is_known {
            self.0.count.store(count, Ordering::Release);
            return Err(RevocationsFull);
        }
        issuers.entry(issuer.into()).or_default().put(what, until);
        let count = count + usize::from(!is_known);
        self.0.count.store(count, Ordering::Release);
        Ok(())
    }
}

impl OfIssuer {
    fn len(&self) -> usize {
        self.credentials.len() + self.sessions.len() + self.subjects.len()
    }

    fn knows(&self, what: What<'_>) -> bool {
        match what {
            What::Credential(id) => self.credentials.contains_key(id),
            What::Session(id) => self.sessions.contains_key(id),
            What::Subject(subject, _) => self.subjects.contains_key(subject),
        }
    }

    /// Revokes; what is known already is revoked for as long as either says.
    fn put(&mut self, what: What<'_>, until: Duration) {
        let known = match what {
            What::Credential(id) => self.credentials.entry(id.into()).or_default(),
            What::Session(id) => self.sessions.entry(id.into()).or_default(),
            What::Subject(subject, at) => {
                let cut = self.subjects.entry(subject.into()).or_default();
                cut.at = at.max(cut.at);
                &mut cut.until
            }
        };
        *known = until.max(*known);
    }

    /// Forgets what has expired by itself; how many are left.
    fn forget(&mut self, now: Duration) -> usize {
        self.credentials.retain(|_, until| !is_past(*until, now));
        self.sessions.retain(|_, until| !is_past(*until, now));
        self.subjects.retain(|_, cut| !is_past(cut.until, now));
        self.len()
    }
}

fn is_past(until: Duration, now: Duration) -> bool {
    until.saturating_add(SLACK) <= now
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("len", &self.len())
            .field("capacity", &self.0.capacity)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for RevocationsFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of revocations is full: nothing was revoked")
    }
}

impl Error for RevocationsFull {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::FakeClock;

    const I: &str = "https://a.example";
    const HOUR: Duration = Duration::from_secs(3600);

    fn list(capacity: usize) -> (Revocations, FakeClock) {
        let clock = FakeClock::at(Duration::from_secs(1_800_000_000));
        (Revocations::with_clock(capacity, clock.clone()), clock)
    }

    fn token(issuer: &str, subject: &str, claims: serde_json::Value) -> Principal {
        let serde_json::Value::Object(claims) = claims else {
            panic!("no object");
        };
        Principal::user(issuer, subject)
            .credential_id("t1")
            .claims(claims)
            .build("jwt")
    }

    #[test]
    fn a_credential_a_session_and_a_subject_are_revoked_at_their_issuer_only() {
        for kind in 0..3 {
            let (list, clock) = list(10);
            let iat = clock.wall().as_secs();
            let claims = json!({"sid": "s1", "iat": iat});
            let until = clock.wall() + HOUR;
            match kind {
                0 => list.revoke_credential(I, "t1", until),
                1 => list.revoke_session(I, "s1", until),
                _ => list.revoke_subject(I, "ann", until),
            }
            .unwrap();
            assert!(list.find(&token(I, "ann", claims.clone())).is_some());
            let elsewhere = token("https://b.example", "ann", claims);
            assert!(list.find(&elsewhere).is_none());
            let other = Principal::user(I, "bob").credential_id("t2");
            let other = other.claims(serde_json::Map::new()).build("jwt");
            assert!(list.find(&other).is_none());
            assert!(list.find(&Principal::anonymous()).is_none());
        }
    }

    #[test]
    fn a_subject_is_revoked_up_to_now_and_what_tells_no_time_counts_as_older() {
        let (list, clock) = list(10);
        let now = clock.wall().as_secs();
        list.revoke_subject(I, "ann", clock.wall() + HOUR).unwrap();
        for (claims, revoked) in [
            (json!({"iat": now - 1}), true),
            (json!({"iat": now}), true),
            (json!({"iat": now + 1}), false),
            (json!({"iat": "soon"}), true),
            (json!({}), true),
        ] {
            let found = list.find(&token(I, "ann", claims.clone()));
            assert_eq!(found.is_some(), revoked, "{claims}");
        }
        clock.advance(Duration::from_secs(10));
        list.revoke_subject(I, "ann", clock.wall()).unwrap();
        assert!(
            list.find(&token(I, "ann", json!({"iat": now + 9})))
                .is_some()
        );
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn a_full_list_says_so_and_forgets_only_what_has_expired() {
        let (list, clock) = list(3);
        let revoke = |id: &str, after| list.revoke_credential(I, id, clock.wall() + after);
        for id in ["t1", "t2", "t3"] {
            revoke(id, HOUR).unwrap();
        }
        assert_eq!(revoke("t4", 9 * HOUR), Err(RevocationsFull));
        assert_eq!(list.len(), 3);
        let t1 = token(I, "ann", json!({}));
        clock.advance(HOUR + SLACK - Duration::from_nanos(1));
        assert_eq!(revoke("t4", 9 * HOUR), Err(RevocationsFull));
        assert!(list.find(&t1).is_some());
        clock.advance(Duration::from_nanos(1));
        revoke("t4", 9 * HOUR).unwrap();
        assert_eq!(list.len(), 1);
        assert!(list.find(&t1).is_none());
        assert_eq!(list.revoke_session(I, "s", Duration::ZERO), Ok(()));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn what_is_known_can_be_prolonged_in_a_full_list_and_never_shortened() {
        let (list, clock) = list(1);
        let revoke = |id, after| list.revoke_credential(I, id, clock.wall() + after);
        for after in [HOUR, 5 * HOUR, HOUR] {
            revoke("t1", after).unwrap();
            assert_eq!(list.len(), 1);
        }
        clock.advance(5 * HOUR);
        assert_eq!(revoke("t2", HOUR), Err(RevocationsFull));
        assert!(list.find(&token(I, "ann", json!({}))).is_some());
    }
}

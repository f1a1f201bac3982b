use std::{
    collections::HashMap,
    error::Error,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    Feed, FeedTaken,
    revoked::{self, OfIssuer, What},
};
use crate::{Clock, Principal, SystemClock};

/// Credentials that are not to be believed any more though they have not expired.
///
/// A local list that authenticators look into on every request, also where they remember what they
/// verified, so a revocation holds from the next request on, and from the next event of a stream that is
/// open. What fills it is the application's affair: an administrator's command, the issuer's logout
/// notices; `bartizan-redis` shares it between nodes. Clones share the list.
///
/// ```
/// use std::time::Duration;
/// use bartizan_core::{Principal, auth::Revocations};
///
/// let revocations = Revocations::new();
/// let token = Principal::user("https://auth.example.com", "ann")
///     .credential_id("token-17")
///     .build("jwt");
/// assert!(revocations.judge(&token).is_ok());
///
/// let in_an_hour = revocations.now() + Duration::from_secs(3600);
/// revocations.revoke_credential("https://auth.example.com", "token-17", in_an_hour)?;
/// assert!(revocations.judge(&token).is_err());
/// # Ok::<(), bartizan_core::auth::NotRevoked>(())
/// ```
#[derive(Clone)]
pub struct Revocations {
    shared: Arc<Shared>,
    skew: Duration,
}

struct Shared {
    capacity: usize,
    clock: Arc<dyn Clock>,
    /// While there are none, nobody takes the lock.
    count: AtomicUsize,
    /// Grows with each change.
    state: AtomicU64,
    /// Until when the list is in touch with others, in nanoseconds of the monotonic clock.
    in_touch_until: AtomicU64,
    issuers: RwLock<HashMap<Box<str>, OfIssuer>>,
    /// When what has expired is looked for next, in nanoseconds of the monotonic clock.
    forgets_at: AtomicU64,
}

/// Of a list that needs not be in touch with any other.
const ALWAYS: u64 = u64::MAX;

/// Why a credential that verifies is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// It is revoked; why, for the operator. Refused as invalid.
    Revoked(&'static str),
    /// Whether it is revoked is not known: the list depends on a [`Feed`], which has been silent for too
    /// long. Refused as 503, for the credential may be good.
    OutOfTouch,
}

/// Why a revocation has **no effect**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotRevoked {
    /// The list is full, and nothing in it may be forgotten yet.
    Full,
    /// `until` is over by more than five minutes: a duration, maybe, where the time since the Unix epoch
    /// is meant.
    Past,
}

impl Revocations {
    /// Revocations that are held unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// How far an issuer's clock may be ahead of ours unless [`with_skew`](Self::with_skew) says otherwise.
    pub const DEFAULT_SKEW: Duration = Duration::from_secs(60);

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
        Self {
            shared: Arc::new(Shared {
                capacity: revocations,
                clock: Arc::new(clock),
                count: AtomicUsize::new(0),
                state: AtomicU64::new(0),
                in_touch_until: AtomicU64::new(ALWAYS),
                issuers: RwLock::default(),
                forgets_at: AtomicU64::new(0),
            }),
            skew: Self::DEFAULT_SKEW,
        }
    }

    /// The same list, seen by whom an issuer's clock may be ahead by so much: what a subject was issued
    /// within this time after it was revoked counts as issued before.
    ///
    /// An authenticator takes the longer of this and the leeway that it grants.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// How far an issuer's clock may be ahead.
    pub fn skew(&self) -> Duration {
        self.skew
    }

    /// How many revocations there is room for.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// The time since the Unix epoch, by the list's clock.
    pub fn now(&self) -> Duration {
        self.shared.clock.wall()
    }

    /// From now on the list believes nobody unless its feed was heard of within `patience`, which means
    /// at once that it has to speak first.
    ///
    /// Where others revoke too, and a credential had better be refused than be believed without knowing
    /// what they have revoked.
    ///
    /// # Errors
    ///
    /// If the list has, or ever had, a feed.
    pub fn depend_on_feed(&self, patience: Duration) -> Result<Feed, FeedTaken> {
        let in_touch_until = &self.shared.in_touch_until;
        in_touch_until
            .compare_exchange(ALWAYS, 0, Ordering::AcqRel, Ordering::Acquire)
            .map_err(|_| FeedTaken)?;
        Ok(Feed::new(self.clone(), patience))
    }

    /// Revokes one credential by its id: a token by its `jti`, a key by its id.
    ///
    /// `until` is when it expires by itself, since the Unix epoch; five minutes after that the
    /// revocation is forgotten.
    ///
    /// # Errors
    ///
    /// If there is no room, or `until` is over. Then the credential is still good.
    pub fn revoke_credential(
        &self,
        issuer: &str,
        id: &str,
        until: Duration,
    ) -> Result<(), NotRevoked> {
        self.put(issuer, What::Credential(id), until)
    }

    /// Revokes all tokens of a session, which name it in their claim `sid`.
    ///
    /// `until` is when the last of them has expired.
    ///
    /// # Errors
    ///
    /// If there is no room, or `until` is over. Then the session's tokens are still good.
    pub fn revoke_session(
        &self,
        issuer: &str,
        session: &str,
        until: Duration,
    ) -> Result<(), NotRevoked> {
        self.put(issuer, What::Session(session), until)
    }

    /// Revokes whatever a subject, person or program, was issued until now, by the claim `iat`; what
    /// does not tell when it was issued counts as older.
    ///
    /// The issuer's clock may be ahead, so what it issues within the [`skew`](Self::skew) after now, a
    /// minute by default, is refused too: so long the subject stays locked out. What it issues after
    /// that is good.
    ///
    /// `until` is when the last of it has expired.
    ///
    /// # Errors
    ///
    /// If there is no room, or `until` is over. Then the subject's credentials are still good.
    pub fn revoke_subject(
        &self,
        issuer: &str,
        subject: &str,
        until: Duration,
    ) -> Result<(), NotRevoked> {
        self.revoke_subject_at(issuer, subject, self.now(), until)
    }

    /// The same of what it was issued until `at`, since the Unix epoch: for a revocation that was made
    /// earlier, or elsewhere. Making it again changes nothing; of several the latest counts.
    ///
    /// # Errors
    ///
    /// If there is no room, or `until` is over. Then the subject's credentials are still good.
    pub fn revoke_subject_at(
        &self,
        issuer: &str,
        subject: &str,
        at: Duration,
        until: Duration,
    ) -> Result<(), NotRevoked> {
        self.put(issuer, What::Subject(subject, at), until)
    }

    /// Whether the principal's credential is to be believed; if not, why.
    ///
    /// # Errors
    ///
    /// If it is revoked, or if that can't be known.
    pub fn judge(&self, principal: &Principal) -> Result<(), Distrust> {
        if principal.is_anonymous() {
            return Ok(());
        }
        if let Some(why) = self.find(principal) {
            return Err(Distrust::Revoked(why));
        }
        if self.is_in_touch() {
            Ok(())
        } else {
            Err(Distrust::OutOfTouch)
        }
    }

    fn find(&self, principal: &Principal) -> Option<&'static str> {
        if self.is_empty() {
            return None;
        }
        let issuers = self.shared.issuers.read();
        let issuers = issuers.unwrap_or_else(PoisonError::into_inner);
        let issuer = issuers.get(principal.issuer())?;
        issuer.find(principal, self.skew, || self.now())
    }

    /// Another one after each change.
    pub(super) fn state(&self) -> u64 {
        self.shared.state.load(Ordering::Acquire)
    }

    pub(super) fn is_in_touch(&self) -> bool {
        match self.shared.in_touch_until.load(Ordering::Acquire) {
            ALWAYS => true,
            until => nanos(self.monotonic()) < until,
        }
    }

    pub(super) fn monotonic(&self) -> Duration {
        self.shared.clock.monotonic()
    }

    pub(super) fn stay_in_touch_until(&self, until: Duration) {
        // Never for good: that is for lists without a feed.
        let until = nanos(until).min(ALWAYS - 1);
        let in_touch_until = &self.shared.in_touch_until;
        in_touch_until.store(until, Ordering::Release);
    }

    /// How many revocations are held.
    pub fn len(&self) -> usize {
        self.shared.count.load(Ordering::Acquire)
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, issuer: &str, what: What<'_>, until: Duration) -> Result<(), NotRevoked> {
        let now = self.now();
        if revoked::is_past(until, now) {
            return Err(NotRevoked::Past);
        }
        let shared = &*self.shared;
        let issuers = shared.issuers.write();
        let mut issuers = issuers.unwrap_or_else(PoisonError::into_inner);
        let is_known = |issuers: &HashMap<Box<str>, OfIssuer>| {
            issuers.get(issuer).is_some_and(|list| list.knows(what))
        };
        let is_full = self.len() >= shared.capacity && !is_known(&issuers);
        if is_full || self.is_time_to_forget() {
            issuers.retain(|_, list| list.forget(now) > 0);
            let left = issuers.values().map(OfIssuer::len).sum();
            shared.count.store(left, Ordering::Release);
        }
        let (count, is_known) = (self.len(), is_known(&issuers));
        if count >= shared.capacity && !is_known {
            return Err(NotRevoked::Full);
        }
        let list = issuers.entry(issuer.into()).or_default();
        let is_changed = list.put(what, until);
        let count = count + usize::from(!is_known);
        shared.count.store(count, Ordering::Release);
        if is_changed {
            shared.state.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Asked under the lock.
    fn is_time_to_forget(&self) -> bool {
        let now = self.monotonic();
        let forgets_at = &self.shared.forgets_at;
        if nanos(now) < forgets_at.load(Ordering::Acquire) {
            return false;
        }
        forgets_at.store(nanos(now.saturating_add(FORGETTING)), Ordering::Release);
        true
    }
}

/// How often what has expired is looked for, since that takes the whole list.
const FORGETTING: Duration = Duration::from_secs(60);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for NotRevoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the list of revocations is full: nothing was revoked",
            Self::Past => {
                "`until` is in the past, in time since the Unix epoch: nothing was revoked"
            }
        })
    }
}

impl Error for NotRevoked {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{FakeClock, auth::revoked::SLACK};

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
        let list = list.with_skew(Duration::ZERO);
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
    fn what_an_issuer_ahead_of_us_issued_before_the_cut_is_revoked_as_far_as_it_may_be_ahead() {
        let (list, clock) = list(10);
        let now = clock.wall().as_secs();
        list.revoke_subject(I, "ann", clock.wall() + HOUR).unwrap();
        let is_revoked = |list: &Revocations, iat| list.find(&token(I, "ann", json!({"iat": iat})));
        assert!(is_revoked(&list, now + 60).is_some());
        assert!(is_revoked(&list, now + 61).is_none());
        let patient = list.with_skew(Duration::from_secs(300));
        assert!(is_revoked(&patient, now + 300).is_some());
        assert!(is_revoked(&patient, now + 301).is_none());
    }

    #[test]
    fn a_revocation_that_is_made_again_moves_no_cut_and_is_no_change() {
        let (list, clock) = list(10);
        let list = list.with_skew(Duration::ZERO);
        let (made, until) = (clock.wall(), clock.wall() + HOUR);
        list.revoke_subject(I, "ann", until).unwrap();
        list.revoke_credential(I, "t9", until).unwrap();
        let newer = token(I, "ann", json!({"iat": made.as_secs() + 5}));
        assert!(list.find(&newer).is_none());
        clock.advance(Duration::from_secs(10));
        let state = list.state();
        list.revoke_subject_at(I, "ann", made, until).unwrap();
        list.revoke_credential(I, "t9", until).unwrap();
        assert_eq!(list.state(), state);
        assert!(list.find(&newer).is_none());
        list.revoke_subject(I, "ann", until).unwrap();
        assert_ne!(list.state(), state);
        assert!(list.find(&newer).is_some());
        // An older one, which comes late, does not take it back.
        list.revoke_subject_at(I, "ann", made, until).unwrap();
        assert!(list.find(&newer).is_some());
    }

    #[test]
    fn a_full_list_says_so_and_forgets_only_what_has_expired() {
        let (list, clock) = list(3);
        let revoke = |id: &str, after| list.revoke_credential(I, id, clock.wall() + after);
        for id in ["t1", "t2", "t3"] {
            revoke(id, HOUR).unwrap();
        }
        assert_eq!(revoke("t4", 9 * HOUR), Err(NotRevoked::Full));
        assert_eq!(list.len(), 3);
        let t1 = token(I, "ann", json!({}));
        clock.advance(HOUR + SLACK - Duration::from_nanos(1));
        assert_eq!(revoke("t4", 9 * HOUR), Err(NotRevoked::Full));
        assert!(list.find(&t1).is_some());
        clock.advance(Duration::from_nanos(1));
        revoke("t4", 9 * HOUR).unwrap();
        assert_eq!(list.len(), 1);
        assert!(list.find(&t1).is_none());
    }

    #[test]
    fn a_duration_in_the_place_of_a_time_revokes_nothing_and_says_so() {
        let (list, clock) = list(3);
        let just = clock.wall() - SLACK;
        for until in [Duration::ZERO, HOUR, just] {
            for made in [
                list.revoke_credential(I, "t1", until),
                list.revoke_session(I, "s1", until),
                list.revoke_subject(I, "ann", until),
                list.revoke_subject_at(I, "ann", clock.wall(), until),
            ] {
                assert_eq!(made, Err(NotRevoked::Past));
            }
        }
        assert!(NotRevoked::Past.to_string().contains("`until`"));
        assert!(list.is_empty());
        let later = just + Duration::from_nanos(1);
        list.revoke_credential(I, "t1", later).unwrap();
        assert!(list.find(&token(I, "ann", json!({}))).is_some());
    }

    #[test]
    fn what_may_be_forgotten_is_not_revoked_any_more_though_nobody_needed_its_room() {
        let (list, clock) = list(1000);
        let until = clock.wall() + HOUR;
        list.revoke_subject(I, "ann", until).unwrap();
        list.revoke_credential(I, "t1", until).unwrap();
        list.revoke_session(I, "s1", until).unwrap();
        // A certificate, of which nothing tells when it was issued.
        let certificate = Principal::service(I, "ann").build("mtls");
        let others = ["bob", "ann"].map(|who| token(I, who, json!({"sid": "s1"})));
        clock.advance(HOUR + SLACK - Duration::from_nanos(1));
        assert!(list.judge(&certificate).is_err());
        clock.advance(Duration::from_nanos(1));
        assert_eq!(list.judge(&certificate), Ok(()));
        for token in &others {
            assert_eq!(list.judge(token), Ok(()));
        }
        assert_eq!(list.len(), 3);
        list.revoke_session(I, "s2", clock.wall()).unwrap();
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn what_has_expired_is_looked_for_once_a_minute() {
        let (list, clock) = list(1000);
        let revoke = |id: &str| list.revoke_credential(I, id, clock.wall());
        revoke("t1").unwrap();
        clock.advance(SLACK - Duration::from_secs(1));
        revoke("t2").unwrap();
        clock.advance(Duration::from_secs(1));
        revoke("t3").unwrap();
        assert_eq!(list.len(), 3);
        clock.advance(FORGETTING);
        revoke("t4").unwrap();
        assert_eq!(list.len(), 3);
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
        assert_eq!(revoke("t2", HOUR), Err(NotRevoked::Full));
        assert!(list.find(&token(I, "ann", json!({}))).is_some());
    }
}

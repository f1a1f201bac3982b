use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bartizan_core::{Clock, Event, Events, Principal, Severity, auth::Revocations};
use bartizan_token::{Fault, Fingerprint, TokenCache};
use tokio::{runtime::Handle, sync::watch, time::timeout};

use crate::{
    breaker::{Breaker, Change, LONGEST, Permit},
    lookup::{Blame, Lookup, Trouble},
};

/// Says what tokens stand for: from memory, or by asking, once for all who wait.
pub(crate) struct Judge {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) found: TokenCache<Entry>,
    pub(crate) flights: Mutex<HashMap<Fingerprint, Waiter>>,
    pub(crate) breaker: Breaker,
    pub(crate) limits: Limits,
    /// How tokens of the provider begin; any way if empty.
    pub(crate) prefixes: &'static [&'static str],
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) revocations: Option<Revocations>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_token_bytes: usize,
    /// How long a token is remembered that is good, and one that is not.
    pub(crate) good_age: Duration,
    pub(crate) bad_age: Duration,
    /// How long one look may take.
    pub(crate) timeout: Duration,
    /// How many tokens are looked up at a time.
    pub(crate) max_lookups: usize,
}

/// What was found of a token.
#[derive(Clone)]
pub(crate) struct Entry {
    verdict: Result<Principal, Fault>,
    /// By the monotonic clock.
    until: Duration,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Fault(Fault),
    /// Nothing is known of it: why, and when to come back.
    Down(Cow<'static, str>, Duration),
}

impl Refusal {
    fn shortly(reason: &'static str) -> Self {
        Self::Down(reason.into(), SHORTLY)
    }
}

pub(crate) enum Judgement {
    Done(Result<Principal, Refusal>),
    Wait(Waiter),
}

/// Waits for a look that is under way.
#[derive(Clone)]
pub(crate) struct Waiter {
    landed: watch::Receiver<Option<Result<Principal, Refusal>>>,
    /// When there is no hope for it, by the monotonic clock.
    until: Duration,
}

type Landed = watch::Sender<Option<Result<Principal, Refusal>>>;

/// What is told to those for whom there is no room at the moment.
const SHORTLY: Duration = Duration::from_secs(1);

/// A look that took so much longer than it may is on a runtime that nobody drives.
pub(crate) const STALLED: Duration = Duration::from_secs(1);

impl Judge {
    pub(crate) fn judge(self: &Arc<Self>, token: &str) -> Judgement {
        if let Err(fault) = check_form(token, self.limits.max_token_bytes) {
            return Judgement::Done(Err(Refusal::Fault(fault)));
        }
        // Somebody else's credential is not shown to this provider.
        if !self.has_known_form(token) {
            let fault = "not of the form of the provider's tokens";
            return Judgement::Done(Err(Refusal::Fault(fault)));
        }
        let fingerprint = self.found.fingerprint(token);
        if let Some(verdict) = self.remembered(fingerprint) {
            return Judgement::Done(verdict);
        }
        match self.depart(token, fingerprint) {
            Ok(waiter) => Judgement::Wait(waiter),
            Err(refusal) => Judgement::Done(Err(refusal)),
        }
    }

    pub(crate) fn has_known_form(&self, token: &str) -> bool {
        let mut prefixes = self.prefixes.iter();
        self.prefixes.is_empty() || prefixes.any(|prefix| token.starts_with(prefix))
    }

    /// Waits for a look; what it found.
    pub(crate) async fn settled(&self, waiter: Waiter) -> Result<Principal, Refusal> {
        let Waiter { mut landed, .. } = waiter;
        let at_most = self.limits.timeout.saturating_add(STALLED);
        let landed = timeout(at_most, landed.wait_for(Option::is_some)).await;
        let verdict = match landed {
            Ok(Ok(verdict)) => verdict.clone(),
            _ => None,
        };
        self.unless_revoked(
            verdict.unwrap_or_else(|| Err(Refusal::shortly("the look did not end")))?,
        )
    }

    fn remembered(&self, fingerprint: Fingerprint) -> Option<Result<Principal, Refusal>> {
        let entry = self.found.find(fingerprint)?;
        let is_over = |p: &Principal| p.expires_at().is_some_and(|end| end <= self.clock.wall());
        if entry.until <= self.clock.monotonic() || entry.verdict.as_ref().is_ok_and(is_over) {
            self.found.forget(fingerprint);
            return None;
        }
        let verdict = entry.verdict.map_err(Refusal::Fault);
        Some(verdict.and_then(|principal| self.unless_revoked(principal)))
    }

    /// Joins the look that is under way for this token, or starts one.
    fn depart(self: &Arc<Self>, token: &str, fingerprint: Fingerprint) -> Result<Waiter, Refusal> {
        let mut flights = self.flights();
        let now = self.clock.monotonic();
        // One whose runtime stands still will not land.
        let is_hopeful = |waiter: &Waiter| now < waiter.until;
        if let Some(waiter) = flights.get(&fingerprint).filter(|w| is_hopeful(w)) {
            return Ok(waiter.clone());
        }
        if flights.len() >= self.limits.max_lookups {
            flights.retain(|_, waiter| is_hopeful(waiter));
        }
        if flights.len() >= self.limits.max_lookups {
            return Err(Refusal::shortly("too many tokens are being looked up"));
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(Refusal::shortly("not inside a tokio runtime"));
        };
        let resting = |after| Refusal::Down("the provider is left alone".into(), after);
        let permit = self.breaker.permit(now).map_err(resting)?;
        let (landed, waiter) = watch::channel(None);
        let at_most = self.limits.timeout.saturating_add(STALLED);
        let waiter = Waiter {
            landed: waiter,
            until: now.saturating_add(at_most),
        };
        flights.insert(fingerprint, waiter.clone());
        // A runtime that is shutting down drops the task here.
        drop(flights);
        let landing = Landing {
            judge: Arc::clone(self),
            fingerprint,
            permit,
            verdict: None,
            landed,
        };
        runtime.spawn(landing.fly(token.to_owned()));
        Ok(waiter)
    }

    fn unless_revoked(&self, principal: Principal) -> Result<Principal, Refusal> {
        let list = self.revocations.as_ref();
        match list.and_then(|list| list.find(&principal)) {
            Some(fault) => Err(Refusal::Fault(fault)),
            None => Ok(principal),
        }
    }

    fn remember(&self, fingerprint: Fingerprint, bytes: usize, verdict: Result<Principal, Fault>) {
        let age = match verdict {
            Ok(_) => self.limits.good_age,
            Err(_) => self.limits.bad_age,
        };
        if !age.is_zero() {
            let until = self.clock.monotonic().saturating_add(age);
            self.found
                .remember(fingerprint, bytes, Entry { verdict, until });
        }
    }

    fn note_failure(&self, permit: Permit, trouble: Trouble) -> Refusal {
        let pause = if trouble.blame == Blame::Provider {
            self.note_outage(permit, &trouble)
        } else {
            self.breaker.passed_over(permit);
            let wish = trouble.retry_after.unwrap_or(SHORTLY);
            wish.clamp(SHORTLY, LONGEST)
        };
        Refusal::Down(trouble.reason.into(), pause)
    }

    fn note_outage(&self, permit: Permit, trouble: &Trouble) -> Duration {
        let now = self.clock.monotonic();
        match self.breaker.failed(permit, now, trouble.retry_after) {
            Change::FirstFailure => {
                self.emit(Severity::Warning, "lookup_failed", trouble.reason.clone());
            }
            Change::Opened(pause) => {
                let detail = format!("not asked for {} s: {}", pause.as_secs(), trouble.reason);
                self.emit(Severity::Error, "provider_down", detail);
                return pause;
            }
            Change::None => {}
        }
        self.breaker.pause()
    }

    fn emit(&self, severity: Severity, kind: &'static str, detail: String) {
        self.events
            .emit(&Event::new("oauth", severity, kind, detail));
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Fingerprint, Waiter>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a look however its task ends.
struct Landing {
    judge: Arc<Judge>,
    fingerprint: Fingerprint,
    permit: Permit,
    verdict: Option<Result<Principal, Refusal>>,
    landed: Landed,
}

impl Landing {
    async fn fly(mut self, token: String) {
        let judge = Arc::clone(&self.judge);
        let look = timeout(judge.limits.timeout, judge.lookup.look_up(&token));
        let found = look
            .await
            .unwrap_or_else(|_| Err(Trouble::new("timed out")));
        let verdict = match found {
            Ok(verdict) => {
                if judge.breaker.succeeded(self.permit) {
                    let detail = "the provider answers again".to_owned();
                    judge.emit(Severity::Info, "provider_back", detail);
                }
                // What is found grows with the answer, not with the token.
                let bytes = verdict.as_ref().map_or(token.len(), size_of_claims);
                judge.remember(self.fingerprint, bytes, verdict.clone());
                verdict.map_err(Refusal::Fault)
            }
            Err(trouble) => Err(judge.note_failure(self.permit, trouble)),
        };
        self.verdict = Some(verdict);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let verdict = self.verdict.take().unwrap_or_else(|| {
            // Its runtime went away, which says nothing of the provider.
            let trouble = Trouble::new("the look was interrupted").blamed_on(Blame::Nobody);
            Err(self.judge.note_failure(self.permit, trouble))
        });
        // What was found is remembered by now, so nobody asks a second time in between.
        let mut flights = self.judge.flights();
        let ours = self.landed.subscribe();
        let is_ours = |waiter: &Waiter| waiter.landed.same_channel(&ours);
        if flights.get(&self.fingerprint).is_some_and(is_ours) {
            flights.remove(&self.fingerprint);
        }
        drop(flights);
        self.landed.send_replace(Some(verdict));
    }
}

/// What the claims take, roughly.
fn size_of_claims(principal: &Principal) -> usize {
    serde_json::to_string(principal.claims()).map_or(0, |text| text.len())
}

/// The syntax of bearer tokens (RFC 6750 §2.1): nothing else is sent anywhere.
fn check_form(token: &str, max_bytes: usize) -> Result<(), Fault> {
    if token.len() > max_bytes {
        return Err("the token is too long");
    }
    is_bearer_token(token.as_bytes())
        .then_some(())
        .ok_or("not a bearer token")
}

pub(crate) fn is_bearer_token(token: &[u8]) -> bool {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
    let body = token.iter().take_while(|b| is_token(b)).count();
    body > 0 && token.iter().skip(body).all(|b| *b == b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_bearer_token_is_not_asked_about() {
        assert!(check_form("2YotnFZFEjr1zCsicMWpAA", 64).is_ok());
        assert!(check_form("a.b-c_d~e+f/g==", 64).is_ok());
        for token in [
            "",
            "=",
            "a=b",
            "a b",
            "a\"b",
            "a%20b",
            "é",
            "a&token=b",
            "a\tb",
        ] {
            assert_eq!(check_form(token, 64), Err("not a bearer token"), "{token}");
        }
        assert_eq!(
            check_form(&"a".repeat(65), 64),
            Err("the token is too long")
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in "\\PC{0,80}") {
            let _ = check_form(&text, 64);
        }
    }
}

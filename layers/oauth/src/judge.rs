use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bartizan_core::{
    Clock, Events, Principal,
    auth::{Distrust, Identified, Revocations},
};
use bartizan_token::{Fault, Fingerprint};
use tokio::time::timeout;

use crate::{
    breakers::Breakers,
    budget::Network,
    flight::{Landing, Seats, Traffic, Verdict, Waiter, runtime},
    lookup::Lookup,
    memory::{Memory, Recall},
};

/// Says what tokens stand for: from memory, or by asking, once for all who wait.
pub(crate) struct Judge {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) memory: Memory,
    pub(crate) traffic: Mutex<Traffic>,
    pub(crate) seats: Seats,
    pub(crate) breakers: Breakers,
    pub(crate) limits: Limits,
    /// How tokens of the provider begin; any way if empty.
    pub(crate) prefixes: Vec<String>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) revocations: Option<Revocations>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_token_bytes: usize,
    /// How long one look may take.
    pub(crate) timeout: Duration,
    /// How many tokens are looked up at a time.
    pub(crate) max_lookups: usize,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Fault(Fault),
    /// Nothing is known of it: why, and when to come back.
    Down(Cow<'static, str>, Duration),
}

impl Refusal {
    pub(crate) fn shortly(reason: &'static str) -> Self {
        Self::Down(reason.into(), SHORTLY)
    }
}

/// Why no look is begun or joined.
enum Stay {
    /// Nothing newer is to be had than what is remembered.
    Unanswered(Refusal),
    /// Something newer is on its way, and only no room to wait for it.
    Unseated(Refusal),
}

impl From<Refusal> for Stay {
    fn from(refusal: Refusal) -> Self {
        Self::Unanswered(refusal)
    }
}

pub(crate) enum Judgement {
    Done(Verdict),
    Wait(Waiter),
}

/// What is told to those for whom there is no room at the moment.
pub(crate) const SHORTLY: Duration = Duration::from_secs(1);

/// A look that took so much longer than it may is on a runtime that nobody drives.
pub(crate) const STALLED: Duration = Duration::from_secs(1);

impl Judge {
    /// Judges a token that comes from this address, if that is known.
    pub(crate) fn judge(self: &Arc<Self>, token: &str, from: Option<IpAddr>) -> Judgement {
        if let Err(fault) = check_form(token, self.limits.max_token_bytes) {
            return Judgement::Done(Err(Refusal::Fault(fault)));
        }
        // Somebody else's credential is not shown to this provider.
        if !self.has_known_form(token) {
            let fault = "not of the form of the provider's tokens";
            return Judgement::Done(Err(Refusal::Fault(fault)));
        }
        let fingerprint = self.memory.fingerprint(token);
        let is_known = match self.memory.recall(fingerprint) {
            Recall::Good(principal) => return Judgement::Done(self.unless_revoked(principal)),
            Recall::Bad(refusal) => return Judgement::Done(self.or_stale(fingerprint, refusal)),
            Recall::Nothing { is_known } => is_known,
        };
        match self.depart(token, fingerprint, is_known, from) {
            Ok(waiter) => Judgement::Wait(waiter),
            Err(Stay::Unseated(refusal)) => Judgement::Done(Err(refusal)),
            Err(Stay::Unanswered(refusal)) => Judgement::Done(self.or_stale(fingerprint, refusal)),
        }
    }

    pub(crate) fn has_known_form(&self, token: &str) -> bool {
        let mut prefixes = self.prefixes.iter();
        self.prefixes.is_empty() || prefixes.any(|prefix| token.starts_with(prefix.as_str()))
    }

    /// Waits for a look; what it found.
    pub(crate) async fn settled(&self, waiter: Waiter) -> Verdict {
        let Waiter {
            token,
            mut landed,
            seat,
        } = waiter;
        let at_most = self.limits.timeout.saturating_add(STALLED);
        let landed = timeout(at_most, landed.wait_for(Option::is_some)).await;
        let verdict = match landed {
            Ok(Ok(verdict)) => verdict.clone(),
            _ => None,
        };
        drop(seat);
        match verdict.unwrap_or_else(|| Err(Refusal::shortly("the look did not end"))) {
            Ok(principal) => self.unless_revoked(principal),
            Err(refusal) => self.or_stale(token, refusal),
        }
    }

    /// Joins the look that is under way for this token, or starts one.
    fn depart(
        self: &Arc<Self>,
        token: &str,
        fingerprint: Fingerprint,
        is_known: bool,
        from: Option<IpAddr>,
    ) -> Result<Waiter, Stay> {
        let runtime = runtime();
        let runtime = runtime.ok_or(Refusal::shortly("not inside a tokio runtime with a timer"))?;
        let now = self.clock.monotonic();
        let mut traffic = self.traffic();
        let under_way = traffic.find(fingerprint, now);
        let Some(seat) = self.seats.take(is_known) else {
            let refusal = Refusal::shortly("too many requests wait");
            return Err(match under_way {
                Some(_) => Stay::Unseated(refusal),
                None => Stay::Unanswered(refusal),
            });
        };
        let wait = |landed| Waiter {
            token: fingerprint,
            landed,
            seat,
        };
        if let Some(landed) = under_way {
            return Ok(wait(landed));
        }
        if !traffic.has_room(self.limits.max_lookups, is_known, now) {
            return Err(Refusal::shortly("too many tokens are being looked up").into());
        }
        let network = from.map(Network::of);
        if !is_known && let Err(spent) = traffic.budget.check(now, network) {
            drop(traffic);
            return Err(self.note_spent_budget(spent).into());
        }
        let resting = |after| Refusal::Down("the provider is left alone".into(), after);
        let permission = self.breakers.permit(now, is_known).map_err(resting)?;
        if !is_known {
            traffic.budget.take(now, network);
        }
        let at_most = self.limits.timeout.saturating_add(STALLED);
        let landed = traffic.begin(fingerprint, is_known, now.saturating_add(at_most));
        // A runtime that is shutting down drops the task here.
        drop(traffic);
        let waiter = wait(landed.subscribe());
        let landing = Landing {
            judge: Arc::clone(self),
            token: fingerprint,
            permission,
            verdict: None,
            landed,
        };
        runtime.spawn(landing.fly(token.to_owned()));
        Ok(waiter)
    }

    /// What is known of the token by memory, where nothing newer is to be had.
    fn or_stale(&self, token: Fingerprint, refusal: Refusal) -> Verdict {
        let is_down = matches!(refusal, Refusal::Down(..));
        match is_down.then(|| self.memory.stale(token)).flatten() {
            Some(principal) => self.unless_revoked(principal),
            None => Err(refusal),
        }
    }

    fn unless_revoked(&self, principal: Principal) -> Verdict {
        let Some(list) = &self.revocations else {
            return Ok(principal);
        };
        match list.judge(&principal) {
            Ok(()) => Ok(principal),
            Err(Distrust::Revoked(fault)) => Err(Refusal::Fault(fault)),
            Err(_) => Err(Refusal::shortly("what was revoked elsewhere is not known")),
        }
    }

    /// What a token proves, for as long as it is not revoked.
    pub(crate) fn identified(&self, principal: Principal) -> Identified {
        let identified = Identified::new(principal);
        match &self.revocations {
            Some(list) => identified.with_revocations(list.clone()),
            None => identified,
        }
    }
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

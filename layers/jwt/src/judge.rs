use std::time::Duration;

use bartizan_core::{Denial, DenialKind, Principal};
use bartizan_token::{Fault, Fingerprint};
use serde_json::Value;

use crate::{
    issuer::{Candidate, Issuer},
    keys::{Current, Waiter},
    remembered::Remembered,
    token::Compact,
    verifier::Inner,
};

/// What can be said of a token without waiting.
pub(crate) enum Judgement<T> {
    Done(Result<T, Refusal>),
    Wait(Waiter),
}

/// Why a token is not believed.
#[derive(Debug)]
pub(crate) enum Refusal {
    Fault(Fault),
    /// Its issuer's keys cannot be had now, and when to come back.
    Down(Duration),
}

impl Inner {
    /// Judges a token: whether it verifies, and whether it was revoked, which no cache remembers.
    pub(crate) fn judge(&self, token: &str) -> Judgement<Principal> {
        match self.find_or_verify(token) {
            Judgement::Done(result) => Judgement::Done(result.and_then(|p| self.unless_revoked(p))),
            Judgement::Wait(waiter) => Judgement::Wait(waiter),
        }
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    pub(crate) fn judge_settled(&self, token: &str) -> Result<Principal, Refusal> {
        self.unless_revoked(self.find_or_verify_settled(token)?)
    }

    /// By what was found before, if it would be found again; by itself otherwise.
    fn find_or_verify(&self, token: &str) -> Judgement<Principal> {
        let place = self.place_of(token);
        if let Some((cache, fingerprint)) = place
            && let Some(entry) = cache.find(fingerprint)
            && let Some(issuer) = self.issuers.get(entry.issuer)
        {
            // It has parsed before, so the keys are the first that could stand against it.
            let keys = match issuer.current_keys() {
                Current::Ready(keys) => keys,
                Current::Wait(waiter) => return Judgement::Wait(waiter),
                Current::Down(after) => return Judgement::Done(Err(Refusal::Down(after))),
            };
            if let Some(principal) = entry.holds(keys.generation(), self.clock.wall()) {
                return Judgement::Done(Ok(principal));
            }
            cache.forget(fingerprint);
        }
        let (issuer, candidate) = match self.issuer_of(token) {
            Ok(found) => found,
            Err(fault) => return Judgement::Done(Err(Refusal::Fault(fault))),
        };
        match issuer.verify(candidate, &*self.clock) {
            Judgement::Done(Ok(verified)) => {
                if let Some((cache, fingerprint)) = place {
                    cache.remember(fingerprint, token.len(), &verified);
                }
                Judgement::Done(Ok(verified.principal))
            }
            Judgement::Done(Err(refusal)) => Judgement::Done(Err(refusal)),
            Judgement::Wait(waiter) => Judgement::Wait(waiter),
        }
    }

    fn find_or_verify_settled(&self, token: &str) -> Result<Principal, Refusal> {
        let place = self.place_of(token);
        if let Some((cache, fingerprint)) = place
            && let Some(entry) = cache.find(fingerprint)
            && let Some(issuer) = self.issuers.get(entry.issuer)
        {
            let keys = issuer.settled_keys()?;
            if let Some(principal) = entry.holds(keys.generation(), self.clock.wall()) {
                return Ok(principal);
            }
        }
        let (issuer, candidate) = self.issuer_of(token)?;
        let verified = issuer.verify_settled(candidate, &*self.clock)?;
        if let Some((cache, fingerprint)) = place {
            cache.remember(fingerprint, token.len(), &verified);
        }
        Ok(verified.principal)
    }

    fn unless_revoked(&self, principal: Principal) -> Result<Principal, Refusal> {
        let list = self.revocations.as_ref();
        match list.and_then(|list| list.find(&principal)) {
            Some(fault) => Err(Refusal::Fault(fault)),
            None => Ok(principal),
        }
    }

    /// What a request with a refused token is answered.
    pub(crate) fn denial(&self, refusal: Refusal) -> Denial {
        match refusal {
            // Each fault has its own reason for the audit, and all have one answer.
            Refusal::Fault(fault) => Denial::new(DenialKind::CredentialsInvalid, fault)
                .with_challenge(self.challenges.invalid.clone()),
            // No challenge: a client must not throw its token away because the issuer is down
            // (AC-16).
            Refusal::Down(after) => {
                Denial::new(DenialKind::Unavailable, "no verification keys").with_retry_after(after)
            }
        }
    }

    /// Where the token would be remembered.
    fn place_of(&self, token: &str) -> Option<(&Remembered, Fingerprint)> {
        let cache = self.remembered.as_ref()?;
        let is_readable = token.len() <= self.max_token_bytes;
        is_readable.then(|| (cache, cache.fingerprint(token)))
    }

    /// Who is to judge the token: the only issuer, which then sees whether the token is its own,
    /// or the one that the token names (TV-4).
    fn issuer_of<'t>(&self, token: &'t str) -> Result<(&Issuer, Candidate<'t>), Fault> {
        let token = Compact::split(token, self.max_token_bytes)?;
        if let [only] = self.issuers.as_slice() {
            let claims = None;
            return Ok((only, Candidate { token, claims }));
        }
        let claims = token.claims()?;
        let named = match claims.get("iss") {
            Some(Value::String(named)) => named,
            Some(_) => return Err("another issuer"),
            None => return Err("no issuer"),
        };
        let mut issuers = self.issuers.iter();
        let issuer = issuers.find(|issuer| issuer.rules.issuer == *named);
        let issuer = issuer.ok_or("another issuer")?;
        let claims = Some(claims);
        Ok((issuer, Candidate { token, claims }))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

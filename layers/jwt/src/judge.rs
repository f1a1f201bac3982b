use std::time::Duration;

use bartizan_core::{
    Denial, DenialKind, Principal,
    auth::{Distrust, Identified},
};
use bartizan_token::{Fault, Fingerprint};
use http::{HeaderValue, header::CACHE_CONTROL};
use serde_json::Value;

use crate::{
    dpop::{NONCE_FIELD, Presented, Scheme, UNBOUND, Unproven},
    issuer::{Candidate, Issuer},
    keys::{Current, Waiter},
    remembered::{Known, Remembered},
    token::Compact,
    verifier::Inner,
};

/// When a request may come back for which there was no room.
const SHORTLY: Duration = Duration::from_secs(1);

/// When some of a key's proofs are forgotten, if it made them evenly.
const FORGOTTEN_IN: Duration = Duration::from_secs(30);

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
    /// Whether it was revoked is not known.
    OutOfTouch,
    /// It is a token, and not shown to be its user's.
    Unproven(Unproven),
}

impl Inner {
    /// Judges a token: whether it verifies, and whether it was revoked, which no cache remembers.
    pub(crate) fn judge(&self, token: &[u8]) -> Judgement<Known> {
        match self.find_or_verify(token) {
            Judgement::Done(result) => Judgement::Done(result.and_then(|k| self.unless_revoked(k))),
            Judgement::Wait(waiter) => Judgement::Wait(waiter),
        }
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    pub(crate) fn judge_settled(&self, token: &[u8]) -> Result<Known, Refusal> {
        self.unless_revoked(self.find_or_verify_settled(token)?)
    }

    /// By what was found before, if it would be found again; by itself otherwise.
    fn find_or_verify(&self, token: &[u8]) -> Judgement<Known> {
        let place = self.place_of(token);
        if let Some((cache, fingerprint)) = place
            && let Some(entry) = cache.find(fingerprint)
            && let Some(issuer) = self.issuers.get(entry.issuer)
        {
            // It has parsed before, so the keys are the first that could stand against it.
            let keys = match issuer.current_generation() {
                Current::Ready(keys) => keys,
                Current::Wait(waiter) => return Judgement::Wait(waiter),
                Current::Down(after) => return Judgement::Done(Err(Refusal::Down(after))),
            };
            if let Some(known) = entry.holds(keys, self.clock.wall()) {
                return Judgement::Done(Ok(known));
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
                Judgement::Done(Ok(verified.into()))
            }
            Judgement::Done(Err(refusal)) => Judgement::Done(Err(refusal)),
            Judgement::Wait(waiter) => Judgement::Wait(waiter),
        }
    }

    fn find_or_verify_settled(&self, token: &[u8]) -> Result<Known, Refusal> {
        let place = self.place_of(token);
        if let Some((cache, fingerprint)) = place
            && let Some(entry) = cache.find(fingerprint)
            && let Some(issuer) = self.issuers.get(entry.issuer)
        {
            let keys = issuer.settled_keys()?;
            if let Some(known) = entry.holds(keys.generation(), self.clock.wall()) {
                return Ok(known);
            }
        }
        let (issuer, candidate) = self.issuer_of(token)?;
        let verified = issuer.verify_settled(candidate, &*self.clock)?;
        if let Some((cache, fingerprint)) = place {
            cache.remember(fingerprint, token.len(), &verified);
        }
        Ok(verified.into())
    }

    fn unless_revoked(&self, known: Known) -> Result<Known, Refusal> {
        let Some(list) = &self.revocations else {
            return Ok(known);
        };
        match list.judge(&known.principal) {
            Ok(()) => Ok(known),
            Err(Distrust::Revoked(fault)) => Err(Refusal::Fault(fault)),
            Err(_) => Err(Refusal::OutOfTouch),
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

    /// Whose the token is, if what is presented shows that it is theirs. No cache remembers that.
    pub(crate) fn identify(
        &self,
        known: Known,
        token: &str,
        presented: &Presented,
    ) -> Result<Identified, Refusal> {
        let dpop = self.dpop.as_ref();
        let next = presented
            .judge(token, known.binding.as_deref(), dpop)
            .map_err(Refusal::Unproven)?;
        let identified = self.identified(known.principal);
        Ok(match next {
            // Whoever keeps the answer must not keep the nonce (SH-3).
            Some(nonce) => identified
                .with_response_header(NONCE_FIELD.clone(), nonce)
                .with_response_header(CACHE_CONTROL, HeaderValue::from_static("no-store")),
            None => identified,
        })
    }

    /// The principal of a token that stands for whoever has it.
    pub(crate) fn of_bearer(&self, known: Known) -> Result<Principal, Refusal> {
        match known.binding {
            None if self.is_possession_required() => Err(Refusal::Fault(UNBOUND)),
            None => Ok(known.principal),
            Some(_) => Err(Refusal::Fault(
                "the token is bound to a key, which a bearer does not prove to hold",
            )),
        }
    }

    /// What a request with a refused token is answered.
    pub(crate) fn denial(&self, refusal: Refusal, scheme: Scheme) -> Denial {
        let invalid = |fault| {
            // Each fault has its own reason for the audit, and all have one answer.
            let challenge = self.invalid_token(scheme);
            Denial::new(DenialKind::CredentialsInvalid, fault).with_challenge(challenge.clone())
        };
        match refusal {
            Refusal::Fault(fault) | Refusal::Unproven(Unproven::Token(fault)) => invalid(fault),
            Refusal::Unproven(Unproven::Proof(fault)) => {
                let challenge = self
                    .proofs
                    .iter()
                    .map(|proofs| proofs.invalid_proof.clone());
                invalid(fault).with_challenges(challenge.collect())
            }
            Refusal::Unproven(Unproven::Nonce(fault)) => {
                // Neither token nor proof is at fault: nothing that counts failures counts this one.
                let challenge = self.proofs.iter().map(|proofs| proofs.use_nonce.clone());
                let denial = Denial::new(DenialKind::NonceNeeded, fault)
                    .with_challenges(challenge.collect());
                let nonces = self.dpop.as_ref().and_then(|dpop| dpop.nonces.as_ref());
                match nonces.and_then(|nonces| nonces.issue(self.clock.wall())) {
                    Some(nonce) => denial.with_header(NONCE_FIELD.clone(), nonce),
                    None => denial,
                }
            }
            Refusal::Unproven(Unproven::Full) => {
                let reason = "there is no room to remember proofs";
                Denial::new(DenialKind::Unavailable, reason).with_retry_after(SHORTLY)
            }
            Refusal::Unproven(Unproven::TooMany) => {
                let reason = "more proofs of one key than are remembered";
                Denial::new(DenialKind::RateLimited, reason).with_retry_after(FORGOTTEN_IN)
            }
            // No challenge: a client must not throw its token away because the issuer is down
            // (AC-16).
            Refusal::Down(after) => {
                Denial::new(DenialKind::Unavailable, "no verification keys").with_retry_after(after)
            }
            Refusal::OutOfTouch => {
                let reason = "what was revoked elsewhere is not known";
                Denial::new(DenialKind::Unavailable, reason).with_retry_after(SHORTLY)
            }
        }
    }

    /// Whether a token that is bound to nothing is refused.
    pub(crate) fn is_possession_required(&self) -> bool {
        self.dpop.as_ref().is_some_and(|dpop| dpop.is_required)
    }

    fn invalid_token(&self, scheme: Scheme) -> &HeaderValue {
        let is_bearers = scheme == Scheme::Bearer && !self.is_possession_required();
        let proofs = self.proofs.as_ref().filter(|_| !is_bearers);
        proofs.map_or(&self.challenges.invalid, |proofs| &proofs.invalid_token)
    }

    /// Where the token would be remembered.
    fn place_of(&self, token: &[u8]) -> Option<(&Remembered, Fingerprint)> {
        let cache = self.remembered.as_ref()?;
        let is_readable = token.len() <= self.max_token_bytes;
        is_readable.then(|| (cache, cache.fingerprint(token)))
    }

    /// Who is to judge the token: the only issuer, which then sees whether the token is its own,
    /// or the one that the token names (TV-4).
    fn issuer_of<'t>(&self, token: &'t [u8]) -> Result<(&Issuer, Candidate<'t>), Fault> {
        let token = std::str::from_utf8(token).map_err(|_| "not a compact token")?;
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

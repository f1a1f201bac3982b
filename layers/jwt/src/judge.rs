use std::{sync::Arc, time::Duration};

use bartizan_core::{Denial, DenialKind, Principal};

use crate::{
    keys::{Current, Found, KeySet, Refresh, Waiter},
    token::{Fault, Unverified},
    token_cache::{Fingerprint, TokenCache, Verified},
    verifier::{Inner, Keys},
};

/// What can be said of a token without waiting.
pub(crate) enum Judgement<T> {
    Done(Result<T, Denial>),
    Wait(Waiter),
}

impl Inner {
    /// Judges a token: by what was found before, if it would be found again; by itself otherwise.
    pub(crate) fn judge(&self, token: &str) -> Judgement<Principal> {
        let Some((cache, fingerprint)) = self.place_of(token) else {
            return self.verify(token).map(|verified| verified.principal);
        };
        if let Some(entry) = cache.find(fingerprint) {
            // It has parsed before, so the keys are the first that could stand against it.
            let keys = match self.current_keys() {
                Current::Ready(keys) => keys,
                Current::Wait(waiter) => return Judgement::Wait(waiter),
                Current::Down(after) => return Judgement::Done(Err(unavailable(after))),
            };
            if let Some(principal) = entry.holds(keys.generation(), self.clock.wall()) {
                return Judgement::Done(Ok(principal));
            }
            cache.forget(fingerprint);
        }
        self.verify(token).map(|verified| {
            cache.remember(fingerprint, token.len(), &verified);
            verified.principal
        })
    }

    /// The same once a fetch has ended; nothing is waited for any more.
    pub(crate) fn judge_settled(&self, token: &str) -> Result<Principal, Denial> {
        let place = self.place_of(token);
        if let Some((cache, fingerprint)) = place
            && let Some(entry) = cache.find(fingerprint)
        {
            let keys = self.settled_keys()?;
            if let Some(principal) = entry.holds(keys.generation(), self.clock.wall()) {
                return Ok(principal);
            }
        }
        let verified = self.verify_settled(token)?;
        if let Some((cache, fingerprint)) = place {
            cache.remember(fingerprint, token.len(), &verified);
        }
        Ok(verified.principal)
    }

    /// Where the token would be remembered.
    fn place_of(&self, token: &str) -> Option<(&TokenCache, Fingerprint)> {
        let cache = self.remembered.as_ref()?;
        let is_readable = token.len() <= self.max_token_bytes;
        is_readable.then(|| (cache, cache.fingerprint(token)))
    }

    /// Cheap checks first, then the signature, then the claims; each kind of fault has its own
    /// reason for the audit, and all have one answer.
    fn verify(&self, token: &str) -> Judgement<Verified> {
        let unverified = match self.parse(token) {
            Ok(unverified) => unverified,
            Err(fault) => return Judgement::Done(Err(self.refusal(fault))),
        };
        let keys = match self.current_keys() {
            Current::Ready(keys) => keys,
            Current::Wait(waiter) => return Judgement::Wait(waiter),
            Current::Down(after) => return Judgement::Done(Err(unavailable(after))),
        };
        let kid = unverified.kid.as_deref();
        let down = match &self.keys {
            Keys::Remote(remote)
                if matches!(keys.find(kid, unverified.algorithm), Found::UnknownKid) =>
            {
                match remote.refresh(false) {
                    Refresh::Running { waiter, .. } => return Judgement::Wait(waiter),
                    Refresh::Cooling { remaining, failed } => failed.then_some(remaining),
                }
            }
            _ => None,
        };
        Judgement::Done(self.verify_with(&keys, &unverified, down))
    }

    fn verify_settled(&self, token: &str) -> Result<Verified, Denial> {
        let unverified = self.parse(token).map_err(|fault| self.refusal(fault))?;
        let keys = self.settled_keys()?;
        let down = match &self.keys {
            Keys::Fixed(_) => None,
            Keys::Remote(remote) => remote.failure().map(|_| remote.schedule.floor),
        };
        self.verify_with(&keys, &unverified, down)
    }

    /// `down` tells when to come back if the key is unknown because the issuer cannot be asked.
    fn verify_with(
        &self,
        keys: &KeySet,
        token: &Unverified<'_>,
        down: Option<Duration>,
    ) -> Result<Verified, Denial> {
        let key = match (keys.find(token.kid.as_deref(), token.algorithm), down) {
            (Found::Key(key), _) => key,
            (Found::UnknownKid, Some(after)) => return Err(unavailable(after)),
            (Found::UnknownKid, None) => return Err(self.refusal("no key has the token's key id")),
            (Found::Mismatch(fault), _) => return Err(self.refusal(fault)),
        };
        if !key.prepared.verifies(token.message, &token.signature) {
            return Err(self.refusal("the signature is not valid"));
        }
        let at = self.clock.wall();
        let principal = self.principal(token, at).map_err(|f| self.refusal(f))?;
        Ok(Verified {
            principal,
            keys: keys.generation(),
            at,
        })
    }

    fn current_keys(&self) -> Current {
        match &self.keys {
            Keys::Fixed(keys) => Current::Ready(Arc::clone(keys)),
            Keys::Remote(remote) => remote.current(),
        }
    }

    fn settled_keys(&self) -> Result<Arc<KeySet>, Denial> {
        match &self.keys {
            Keys::Fixed(keys) => Ok(Arc::clone(keys)),
            Keys::Remote(remote) => remote.settled().map_err(unavailable),
        }
    }

    fn parse<'a>(&self, token: &'a str) -> Result<Unverified<'a>, Fault> {
        let profile = self.rules.profile;
        Unverified::parse(token, self.max_token_bytes, &self.algorithms, profile)
    }

    fn principal(&self, token: &Unverified<'_>, now: Duration) -> Result<Principal, Fault> {
        let claims = token.claims()?;
        let judged = self.rules.judge(&claims, now)?;
        let principal = self
            .claim_map
            .principal(&self.rules.issuer, &judged, &claims)?;
        Ok(principal.claims(claims).build("jwt"))
    }

    fn refusal(&self, fault: Fault) -> Denial {
        Denial::new(DenialKind::CredentialsInvalid, fault)
            .with_challenge(self.challenges.invalid.clone())
    }
}

impl<T> Judgement<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Judgement<U> {
        match self {
            Self::Done(result) => Judgement::Done(result.map(change)),
            Self::Wait(waiter) => Judgement::Wait(waiter),
        }
    }
}

/// No challenge: a client must not throw its token away because the issuer is down (AC-16).
fn unavailable(after: Duration) -> Denial {
    Denial::new(DenialKind::Unavailable, "no verification keys").with_retry_after(after)
}

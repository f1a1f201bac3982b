use std::time::Duration;

use bartizan_core::Principal;
use bartizan_token::{Fingerprint, TokenCache};

use crate::{JwtConfigError, dpop::Binding, keys::Generation};

/// Tokens that verified, so that the next request with one costs no signature.
#[derive(Debug)]
pub(crate) struct Remembered {
    cache: TokenCache<Entry>,
    max_age: Duration,
}

/// A token that verified: whom it stands for, and with whose keys, which and when that was found.
pub(crate) struct Verified {
    pub(crate) principal: Principal,
    pub(crate) binding: Option<Binding>,
    /// Whose keys, by its place in the verifier.
    pub(crate) issuer: usize,
    pub(crate) keys: Generation,
    pub(crate) at: Duration,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) issuer: usize,
    verified_at: Duration,
    until: Duration,
    keys: Generation,
    known: Known,
}

/// What is known of a token, whoever presents it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) principal: Principal,
    /// What its user has to prove anew at every request.
    pub(crate) binding: Option<Box<Binding>>,
}

impl From<Verified> for Known {
    fn from(verified: Verified) -> Self {
        Self {
            principal: verified.principal,
            binding: verified.binding.map(Box::new),
        }
    }
}

impl Remembered {
    /// Room for so many tokens; none for zero.
    pub(crate) fn new(capacity: usize, max_age: Duration) -> Result<Option<Self>, JwtConfigError> {
        let with_limits = |cache| Self { cache, max_age };
        Ok(TokenCache::new(capacity)?.map(with_limits))
    }

    pub(crate) fn fingerprint(&self, token: &(impl AsRef<[u8]> + ?Sized)) -> Fingerprint {
        self.cache.fingerprint(token)
    }

    pub(crate) fn find(&self, token: Fingerprint) -> Option<Entry> {
        self.cache.find(token)
    }

    pub(crate) fn forget(&self, token: Fingerprint) {
        self.cache.forget(token);
    }

    pub(crate) fn remember(&self, token: Fingerprint, bytes: usize, verified: &Verified) {
        let end = verified.principal.accepted_until().unwrap_or_default();
        let entry = Entry {
            issuer: verified.issuer,
            verified_at: verified.at,
            until: verified.at.saturating_add(self.max_age).min(end),
            keys: verified.keys,
            known: Known {
                principal: verified.principal.clone(),
                binding: verified.binding.map(Box::new),
            },
        };
        // Its claims grow with the token.
        self.cache.remember(token, bytes, entry);
    }
}

impl Entry {
    /// What is known, if a verification with these keys at the wall-clock time `now` would find
    /// it too.
    ///
    /// What was valid once stays so until it expires, and a clock that stands before that time
    /// was set back, so that `nbf` and `iat` are to be judged again.
    pub(crate) fn holds(self, keys: Generation, now: Duration) -> Option<Known> {
        let is_time = (self.verified_at..self.until).contains(&now);
        (is_time && self.keys == keys).then_some(self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeySet;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn cache(capacity: usize) -> Remembered {
        Remembered::new(capacity, 5 * MINUTE).unwrap().unwrap()
    }

    fn generation() -> Generation {
        KeySet::new(Vec::new(), &mut Vec::new()).generation()
    }

    fn verified(keys: Generation, expires_in: Duration) -> Verified {
        let principal = Principal::user("https://a.example", "ann");
        let principal = principal.expires_at(NOW + expires_in).leeway(MINUTE);
        Verified {
            principal: principal.build("jwt"),
            binding: None,
            issuer: 0,
            keys,
            at: NOW,
        }
    }

    #[test]
    fn tr_21_an_entry_holds_from_its_verification_to_expiry_or_age() {
        let keys = generation();
        for (expires_in, until) in [(MINUTE, 2 * MINUTE), (60 * MINUTE, 5 * MINUTE)] {
            let cache = cache(10);
            let token = cache.fingerprint("token");
            cache.remember(token, 800, &verified(keys, expires_in));
            let holds = |now| cache.find(token).unwrap().holds(keys, now).is_some();
            let tick = Duration::from_nanos(1);
            assert!(holds(NOW) && holds(NOW + until - tick));
            assert!(!holds(NOW + until) && !holds(NOW - tick));
            assert!(!holds(Duration::ZERO) && !holds(Duration::MAX));
        }
    }

    #[test]
    fn an_entry_does_not_outlive_its_keys() {
        let (cache, keys) = (cache(10), generation());
        let token = cache.fingerprint("token");
        cache.remember(token, 800, &verified(keys, MINUTE));
        assert!(
            cache
                .find(token)
                .unwrap()
                .holds(generation(), NOW)
                .is_none()
        );
        assert!(cache.find(token).unwrap().holds(keys, NOW).is_some());
        cache.forget(token);
        assert!(cache.find(token).is_none());
    }
}

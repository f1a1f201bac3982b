use std::{
    hash::{BuildHasher, Hash, Hasher},
    time::Duration,
};

use bartizan_core::Principal;
use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use siphasher::sip128::SipHasher13;

use crate::{JwtConfigError, keys::Generation};

/// What was found of tokens that verified, so that the next request with one costs no signature.
///
/// It holds no token (TV-21): an entry is found by the token's SipHash-1-3 of 128 bits, under a
/// key that the system's random generator gave and that nobody else knows. A second text with
/// the hash of a remembered token can therefore be had by chance only.
pub(crate) struct TokenCache {
    hasher: SipHasher13,
    entries: Cache<Fingerprint, Entry, BySize, AsIs>,
    max_age: Duration,
    leeway: Duration,
}

/// Stands for a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(u128);

/// A token that verified: whom it stands for, and with whose keys, which and when that was found.
pub(crate) struct Verified {
    pub(crate) principal: Principal,
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
    principal: Principal,
    /// For how many tokens of [`USUAL_BYTES`] it counts.
    weight: u64,
}

/// What a token has at most that counts as one. An entry's claims grow with its token.
const USUAL_BYTES: usize = 2048;

impl TokenCache {
    /// A cache for so many tokens, give or take one for each of its shards; none for zero.
    pub(crate) fn new(
        capacity: usize,
        max_age: Duration,
        leeway: Duration,
    ) -> Result<Option<Self>, JwtConfigError> {
        if capacity == 0 {
            return Ok(None);
        }
        let error = |problem| JwtConfigError::of("token_cache_capacity", problem);
        let mut key = [0; 16];
        getrandom::fill(&mut key)
            .map_err(|_| error("needs a random key, which the system does not give"))?;
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity)
            .weight_capacity(capacity as u64)
            .build()
            .map_err(|_| error("is not accepted by the cache"))?;
        Ok(Some(Self {
            hasher: SipHasher13::new_with_key(&key),
            entries: Cache::with_options(options, BySize, AsIs, DefaultLifecycle::default()),
            max_age,
            leeway,
        }))
    }

    pub(crate) fn fingerprint(&self, token: &str) -> Fingerprint {
        Fingerprint(self.hasher.hash(token.as_bytes()).as_u128())
    }

    pub(crate) fn find(&self, token: Fingerprint) -> Option<Entry> {
        self.entries.get(&token)
    }

    pub(crate) fn forget(&self, token: Fingerprint) {
        self.entries.remove(&token);
    }

    pub(crate) fn remember(&self, token: Fingerprint, bytes: usize, verified: &Verified) {
        let expiry = verified.principal.expires_at().unwrap_or_default();
        let entry = Entry {
            issuer: verified.issuer,
            verified_at: verified.at,
            until: verified
                .at
                .saturating_add(self.max_age)
                .min(expiry.saturating_add(self.leeway)),
            keys: verified.keys,
            principal: verified.principal.clone(),
            weight: bytes.div_ceil(USUAL_BYTES).max(1) as u64,
        };
        self.entries.insert(token, entry);
    }
}

impl Entry {
    /// The principal, if a verification with these keys at the wall-clock time `now` would find
    /// it too.
    ///
    /// What was valid once stays so until it expires, and a clock that stands before that time
    /// was set back, so that `nbf` and `iat` are to be judged again.
    pub(crate) fn holds(self, keys: Generation, now: Duration) -> Option<Principal> {
        let is_time = (self.verified_at..self.until).contains(&now);
        (is_time && self.keys == keys).then_some(self.principal)
    }
}

/// Weighs an entry by its token.
#[derive(Clone)]
struct BySize;

impl Weighter<Fingerprint, Entry> for BySize {
    fn weight(&self, _: &Fingerprint, entry: &Entry) -> u64 {
        entry.weight
    }
}

/// A fingerprint is random already.
#[derive(Clone, Default)]
struct AsIs;

#[derive(Default)]
struct AsIsHasher(u64);

impl BuildHasher for AsIs {
    type Hasher = AsIsHasher;

    fn build_hasher(&self) -> AsIsHasher {
        AsIsHasher(0)
    }
}

impl Hasher for AsIsHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u128(&mut self, fingerprint: u128) {
        // Half of it is as random as the whole.
        self.0 = fingerprint as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::KeySet;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn cache(capacity: usize) -> TokenCache {
        TokenCache::new(capacity, 5 * MINUTE, MINUTE)
            .unwrap()
            .unwrap()
    }

    fn generation() -> Generation {
        KeySet::new(Vec::new(), &mut Vec::new()).generation()
    }

    fn verified(keys: Generation, expires_in: Duration) -> Verified {
        let principal = Principal::user("https://a.example", "ann");
        Verified {
            principal: principal.expires_at(NOW + expires_in).build("jwt"),
            issuer: 0,
            keys,
            at: NOW,
        }
    }

    #[test]
    fn tv_21_neither_token_nor_key_is_held_and_two_verifiers_have_two_keys() {
        let (one, other) = (cache(10), cache(10));
        assert!(one.fingerprint("a.b.c") == one.fingerprint("a.b.c"));
        assert!(one.fingerprint("a.b.c") != one.fingerprint("a.b.d"));
        assert!(one.fingerprint("a.b.c") != other.fingerprint("a.b.c"));
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

    #[test]
    fn memory_is_bounded_and_a_capacity_of_one_is_of_use() {
        let keys = generation();
        for capacity in [1, 10, 100, 1000] {
            let cache = cache(capacity);
            for n in 0..5 * capacity {
                let token = cache.fingerprint(&n.to_string());
                cache.remember(token, 800, &verified(keys, MINUTE));
            }
            let shards = cache.entries.num_shards();
            let held = cache.entries.len();
            assert!(
                (1..capacity + shards).contains(&held),
                "{held} of {capacity}"
            );
        }
        assert!(TokenCache::new(0, MINUTE, MINUTE).unwrap().is_none());
    }

    #[test]
    fn a_long_token_counts_for_several() {
        let (cache, keys) = (cache(1000), generation());
        for n in 0..5000 {
            let token = cache.fingerprint(&n.to_string());
            cache.remember(token, 8 * USUAL_BYTES, &verified(keys, MINUTE));
        }
        let held = cache.entries.len();
        assert!((1..=1000 / 8).contains(&held), "{held}");
    }

    proptest! {
        #[test]
        fn fingerprints_of_different_texts_differ(a in ".{0,40}", b in ".{0,40}") {
            let cache = cache(1);
            prop_assert_eq!(cache.fingerprint(&a) == cache.fingerprint(&b), a == b);
        }
    }
}

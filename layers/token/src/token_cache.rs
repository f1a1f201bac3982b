use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
};

use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};
use siphasher::sip128::SipHasher13;

use crate::TokenConfigError;

/// What was found of tokens, so that the next request with one costs neither signature nor question.
///
/// It holds no token (TV-21): an entry is found by the token's SipHash-1-3 of 128 bits, under a
/// key that the system's random generator gave and that nobody else knows. A second text with
/// the hash of a remembered token can therefore be had by chance only.
pub struct TokenCache<V> {
    hasher: SipHasher13,
    entries: Cache<Fingerprint, Weighted<V>, BySize, AsIs>,
}

/// Stands for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

#[derive(Clone)]
struct Weighted<V> {
    value: V,
    /// For how many tokens of [`USUAL_BYTES`] it counts.
    weight: u64,
}

/// What a token, or what was found of it, has at most that counts as one.
const USUAL_BYTES: usize = 2048;

impl<V: Clone> TokenCache<V> {
    /// A cache for so many tokens, give or take one for each of its shards; none for zero.
    ///
    /// # Errors
    ///
    /// If the system has no randomness, or the cache takes no such capacity.
    pub fn new(capacity: usize) -> Result<Option<Self>, TokenConfigError> {
        if capacity == 0 {
            return Ok(None);
        }
        let error = |problem| TokenConfigError::of("token_cache_capacity", problem);
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
        }))
    }

    /// What stands for the token here.
    pub fn fingerprint(&self, token: &str) -> Fingerprint {
        Fingerprint(self.hasher.hash(token.as_bytes()).as_u128())
    }

    /// What is remembered of a token.
    pub fn find(&self, token: Fingerprint) -> Option<V> {
        self.entries.get(&token).map(|entry| entry.value)
    }

    /// Forgets a token.
    pub fn forget(&self, token: Fingerprint) {
        self.entries.remove(&token);
    }

    /// Remembers something of `bytes` bytes of a token.
    pub fn remember(&self, token: Fingerprint, bytes: usize, value: V) {
        let weight = bytes.div_ceil(USUAL_BYTES).max(1) as u64;
        self.entries.insert(token, Weighted { value, weight });
    }
}

impl<V> fmt::Debug for TokenCache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// Weighs an entry by its token.
#[derive(Clone)]
struct BySize;

impl<V> Weighter<Fingerprint, Weighted<V>> for BySize {
    fn weight(&self, _: &Fingerprint, entry: &Weighted<V>) -> u64 {
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

    fn cache(capacity: usize) -> TokenCache<()> {
        TokenCache::new(capacity).unwrap().unwrap()
    }

    #[test]
    fn tv_21_neither_token_nor_key_is_held_and_two_caches_have_two_keys() {
        let (one, other) = (cache(10), cache(10));
        assert!(one.fingerprint("a.b.c") == one.fingerprint("a.b.c"));
        assert!(one.fingerprint("a.b.c") != one.fingerprint("a.b.d"));
        assert!(one.fingerprint("a.b.c") != other.fingerprint("a.b.c"));
    }

    #[test]
    fn memory_is_bounded_and_a_capacity_of_one_is_of_use() {
        for capacity in [1, 10, 100, 1000] {
            let cache = cache(capacity);
            for n in 0..5 * capacity {
                cache.remember(cache.fingerprint(&n.to_string()), 800, ());
            }
            let shards = cache.entries.num_shards();
            let held = cache.entries.len();
            assert!(
                (1..capacity + shards).contains(&held),
                "{held} of {capacity}"
            );
        }
        assert!(TokenCache::<()>::new(0).unwrap().is_none());
    }

    #[test]
    fn a_long_token_counts_for_several() {
        let cache = cache(1000);
        for n in 0..5000 {
            cache.remember(cache.fingerprint(&n.to_string()), 8 * USUAL_BYTES, ());
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

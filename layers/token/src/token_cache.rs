use std::{
    fmt,
    hash::{BuildHasher, Hash, Hasher},
};

use polyval::{
    Block, ParBlocks, Polyval,
    universal_hash::{UhfBackend, UniversalHash},
};
use quick_cache::{
    OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use crate::TokenConfigError;

/// What was found of tokens, so that the next request with one costs neither signature nor question.
///
/// It holds no token (TV-21): an entry is found by the token's POLYVAL (RFC 8452 section 3) and its length, under
/// keys that the system's random generator gave and that nobody else knows. No output leaves the cache. Two texts of
/// at most `n` blocks of 16 bytes have the same under at most `n + 1` in 2^128 of all keys, so that who sends a million texts of
/// 16 KiB a second to a cache of a million tokens has an even chance of one that is taken for another after 10^15 years.
pub struct TokenCache<V> {
    lanes: Lanes,
    entries: Cache<Fingerprint, Weighted<V>, BySize, AsIs>,
}

/// Takes every other four blocks of a text each, under a key of its own: a CPU works on both at a time. Texts that
/// differ, differ in one of them, and whatever the other makes of its blocks, few keys of that one make up for it.
#[derive(Clone)]
struct Lanes {
    one: Polyval,
    other: Polyval,
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
        let mut keys = [[0; 16]; 2];
        getrandom::fill(keys.as_flattened_mut())
            .map_err(|_| error("needs a random key, which the system does not give"))?;
        let [one, other] = keys.map(|key| Polyval::new(&key.into()));
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity)
            .weight_capacity(capacity as u64)
            .build()
            .map_err(|_| error("is not accepted by the cache"))?;
        Ok(Some(Self {
            lanes: Lanes { one, other },
            entries: Cache::with_options(options, BySize, AsIs, DefaultLifecycle::default()),
        }))
    }

    /// What stands for the token here.
    pub fn fingerprint(&self, token: &(impl AsRef<[u8]> + ?Sized)) -> Fingerprint {
        let token = token.as_ref();
        let Lanes { mut one, mut other } = self.lanes.clone();
        let (blocks, tail) = Block::slice_as_chunks(token);
        let (fours, rest) = ParBlocks::slice_as_chunks(blocks);
        let (pairs, last) = fours.as_chunks();
        for [first, second] in pairs {
            one.proc_par_blocks(first);
            other.proc_par_blocks(second);
        }
        for four in last {
            one.proc_par_blocks(four);
        }
        other.update(rest);
        other.update_padded(tail);
        // Without it the padding would be part of the text.
        let length = (token.len() as u128).to_le_bytes();
        one.update(&[Block::from(length)]);
        let [one, other] = [one, other].map(|lane| u128::from_le_bytes(lane.finalize().into()));
        Fingerprint(one ^ other)
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
    fn texts_that_differ_in_one_bit_in_their_length_or_in_the_order_of_their_blocks_are_told_apart()
    {
        let cache = cache(1);
        let text =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.0123456789abcdef";
        let mut all = vec![
            String::new(),
            format!("{text}\0"),
            format!("{}{text}", "\0".repeat(16)),
        ];
        for end in 1..=text.len() {
            let (before, after) = text.split_at(end);
            let mut flipped = before.to_owned();
            let last = flipped.pop().unwrap();
            flipped.push(char::from(u8::try_from(last).unwrap() ^ 1));
            all.extend([before.to_owned(), flipped, format!("{after}{before}")]);
        }
        all.sort();
        all.dedup();
        let prints: std::collections::HashSet<_> =
            all.iter().map(|text| cache.fingerprint(text)).collect();
        assert_eq!(prints.len(), all.len());
    }

    #[test]
    fn a_bit_anywhere_in_a_long_text_counts_and_so_does_which_lane_takes_it() {
        let cache = cache(1);
        let text: Vec<u8> = (0..=255).cycle().take(5 * 64 + 23).collect();
        let mut all = vec![text.clone(), text.iter().rev().copied().collect()];
        for at in 0..text.len() {
            let mut flipped = text.clone();
            flipped[at] ^= 1;
            let mut shifted = text.clone();
            shifted.rotate_left(at);
            all.extend([flipped, shifted]);
        }
        all.sort();
        all.dedup();
        let prints: std::collections::HashSet<_> =
            all.iter().map(|text| cache.fingerprint(text)).collect();
        assert_eq!(prints.len(), all.len());
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

use std::{fmt, hash::Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::RateLimitConfigError;

/// What a bucket is found by: a keyed hash, so that no name and no credential is kept, and nobody
/// outside can choose two names that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

impl Key {
    /// The halves are independent: one chooses the shard, the other the place in it.
    pub(crate) fn halves(self) -> (u64, u64) {
        let [low, high] = [self.0, self.0 >> 64].map(|half| half as u64);
        (low, high)
    }
}

/// Makes keys under a secret of its own.
#[derive(Clone)]
pub(crate) struct KeyMaker(SipHasher13);

impl KeyMaker {
    pub(crate) fn new() -> Result<Self, RateLimitConfigError> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| {
            RateLimitConfigError::new("system randomness", error, "is not to be had")
        })?;
        Ok(Self(SipHasher13::new_with_key(&secret)))
    }

    pub(crate) fn start(&self, tier: usize) -> KeyParts {
        KeyParts(self.0).part(&tier.to_le_bytes())
    }
}

impl fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaker(..)")
    }
}

/// A key in the making.
#[derive(Clone, Copy)]
pub(crate) struct KeyParts(SipHasher13);

impl KeyParts {
    /// Lengths are hashed too: `ab`, `c` is not `a`, `bc`.
    pub(crate) fn part(mut self, bytes: &[u8]) -> Self {
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
        self
    }

    pub(crate) fn key(self) -> Key {
        Key(self.0.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_parts_and_processes_have_keys_of_their_own() {
        let maker = KeyMaker::new().unwrap();
        let key = |tier, parts: &[&str]| {
            let start = maker.start(tier);
            let all = parts.iter().fold(start, |k, p| k.part(p.as_bytes()));
            all.key()
        };
        assert_eq!(key(0, &["ab", "c"]), key(0, &["ab", "c"]));
        assert_ne!(key(0, &["ab", "c"]), key(0, &["a", "bc"]));
        assert_ne!(key(0, &["ab"]), key(1, &["ab"]));
        let other = KeyMaker::new().unwrap().start(0).part(b"ab").key();
        assert_ne!(key(0, &["ab"]), other);
        assert_eq!(format!("{maker:?}"), "KeyMaker(..)");
    }
}

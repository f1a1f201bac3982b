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

/// Makes keys under secrets of its own.
#[derive(Clone)]
pub(crate) struct KeyMaker {
    hasher: SipHasher13,
    /// One for each tier, so that a party is hashed once for all of them.
    masks: Box<[u128]>,
}

impl KeyMaker {
    pub(crate) fn new(tiers: usize) -> Result<Self, RateLimitConfigError> {
        let mut masks = Vec::with_capacity(tiers);
        for _ in 0..tiers {
            masks.push(u128::from_le_bytes(random()?));
        }
        Ok(Self {
            hasher: SipHasher13::new_with_key(&random()?),
            masks: masks.into(),
        })
    }

    /// Starts a digest.
    pub(crate) fn start(&self) -> KeyParts {
        KeyParts(self.hasher)
    }

    /// The key of a tier's bucket.
    pub(crate) fn key(&self, tier: usize, digest: Digest) -> Key {
        Key(digest.0 ^ self.masks.get(tier).copied().unwrap_or_default())
    }
}

fn random() -> Result<[u8; 16], RateLimitConfigError> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let problem = "is not to be had";
            Err(RateLimitConfigError::new(
                "system randomness",
                error,
                problem,
            ))
        }
    }
}

impl fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaker(..)")
    }
}

/// A digest in the making.
#[derive(Clone, Copy)]
pub(crate) struct KeyParts(SipHasher13);

/// What a bucket is for, hashed.
#[derive(Clone, Copy)]
pub(crate) struct Digest(u128);

impl KeyParts {
    /// Lengths are hashed too: `ab`, `c` is not `a`, `bc`.
    pub(crate) fn part(mut self, bytes: &[u8]) -> Self {
        self.0.write_usize(bytes.len());
        self.0.write(bytes);
        self
    }

    pub(crate) fn digest(self) -> Digest {
        Digest(self.0.finish128().as_u128())
    }
}

impl Digest {
    /// As a part of another digest.
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_parts_and_processes_have_keys_of_their_own() {
        let maker = KeyMaker::new(2).unwrap();
        let key = |tier, parts: &[&str]| {
            let all = parts
                .iter()
                .fold(maker.start(), |k, p| k.part(p.as_bytes()));
            maker.key(tier, all.digest())
        };
        assert_eq!(key(0, &["ab", "c"]), key(0, &["ab", "c"]));
        assert_ne!(key(0, &["ab", "c"]), key(0, &["a", "bc"]));
        assert_ne!(key(0, &["ab"]), key(1, &["ab"]));
        let other = KeyMaker::new(2).unwrap();
        let others = other.key(0, other.start().part(b"ab").digest());
        assert_ne!(key(0, &["ab"]), others);
        assert_eq!(format!("{maker:?}"), "KeyMaker(..)");
    }
}

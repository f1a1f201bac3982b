use std::{fmt, hash::Hasher};

use siphasher::sip128::{Hash128, Hasher128, SipHasher13};

use crate::RateLimitConfigError;

/// Who a bucket belongs to: a keyed hash, so that no name and no credential is kept, and nobody
/// outside can choose two names that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    digest: [u64; 2],
    home: u64,
    /// Whose digest it is minted under.
    minter: Option<[u64; 2]>,
}

/// What sort of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    User,
    Service,
    Address,
    Nobody,
    /// A credential, be it an API key or another one that is limited itself.
    ApiKey,
    /// Within one of the above.
    Session,
    /// Within a credential, by the rates that it says.
    Chain,
}

/// What a bucket is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// The same for all buckets of an owner, and of what is within it: they are kept together.
    pub(crate) home: u64,
    pub(crate) id: Id,
    /// Of what its owner makes as many of as it likes: the bucket that those share for which there
    /// is no room.
    pub(crate) shared: Option<Id>,
}

/// A bucket's name: its owner's digest, masked for the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) [u64; 2]);

/// Makes keys under secrets of its own.
#[derive(Clone)]
pub(crate) struct KeyMaker {
    owners: SipHasher13,
    /// As secret and as random as the digests, so that no two owners meet in different tiers either.
    masks: Box<[[u64; 2]]>,
}

impl KeyMaker {
    pub(crate) fn new(tiers: usize) -> Result<Self, RateLimitConfigError> {
        let (owners, masks) = (hasher()?, hasher()?);
        let mask = |tier: usize| halves(masks.hash(&tier.to_le_bytes()));
        Ok(Self {
            owners,
            masks: (0..tiers).map(mask).collect(),
        })
    }

    /// The owner that is made of parts. Owners of different sorts never meet.
    pub(crate) fn owner<'p>(&self, sort: Sort, parts: impl IntoIterator<Item = &'p [u8]>) -> Owner {
        Owner::of(digest_of(self.start(sort), parts))
    }

    /// The owner that is a number: of one sort either all are numbers or none is.
    pub(crate) fn numbered(&self, sort: Sort, number: u128) -> Owner {
        Owner::of(halves(self.start(sort).hash(&number.to_le_bytes())))
    }

    /// What its owner can mint, and is at home where that is.
    pub(crate) fn within<'p>(
        &self,
        owner: &Owner,
        sort: Sort,
        parts: impl IntoIterator<Item = &'p [u8]>,
    ) -> Owner {
        let mut hasher = self.start(sort);
        for half in owner.digest {
            hasher.write_u64(half);
        }
        Owner {
            digest: digest_of(hasher, parts),
            home: owner.home,
            minter: Some(owner.digest),
        }
    }

    fn start(&self, sort: Sort) -> SipHasher13 {
        let mut hasher = self.owners;
        hasher.write_u64(sort as u64);
        hasher
    }

    /// The owner's bucket of a tier.
    #[inline]
    pub(crate) fn key(&self, tier: usize, owner: &Owner) -> Key {
        let [mask, other] = self.masks.get(tier).copied().unwrap_or_default();
        let id = |[front, back]: [u64; 2]| Id([front ^ mask, back ^ other]);
        Key {
            home: owner.home,
            id: id(owner.digest),
            shared: owner.minter.map(id),
        }
    }
}

impl Owner {
    fn of(digest: [u64; 2]) -> Self {
        let [home, _] = digest;
        Self {
            digest,
            home,
            minter: None,
        }
    }
}

/// Lengths are hashed too: `ab`, `c` is not `a`, `bc`.
fn digest_of<'p>(mut hasher: SipHasher13, parts: impl IntoIterator<Item = &'p [u8]>) -> [u64; 2] {
    for part in parts {
        hasher.write_u64(part.len() as u64);
        hasher.write(part);
    }
    halves(hasher.finish128())
}

fn halves(hash: Hash128) -> [u64; 2] {
    [hash.h1, hash.h2]
}

fn hasher() -> Result<SipHasher13, RateLimitConfigError> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(|error| {
        RateLimitConfigError::new("system randomness", error, "is not to be had")
    })?;
    Ok(SipHasher13::new_with_key(&secret))
}

impl fmt::Debug for KeyMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaker(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(maker: &KeyMaker, sort: Sort, parts: &[&str]) -> Owner {
        maker.owner(sort, parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn owners_sorts_parts_and_processes_have_hashes_of_their_own() {
        let maker = KeyMaker::new(2).unwrap();
        let of = |sort, parts: &[&str]| owner(&maker, sort, parts);
        assert_eq!(of(Sort::User, &["ab", "c"]), of(Sort::User, &["ab", "c"]));
        assert_ne!(of(Sort::User, &["ab", "c"]), of(Sort::User, &["a", "bc"]));
        assert_ne!(of(Sort::User, &["ab"]), of(Sort::User, &["ab", ""]));
        assert_ne!(of(Sort::User, &["ab"]), of(Sort::Service, &["ab"]));
        let elsewhere = owner(&KeyMaker::new(2).unwrap(), Sort::User, &["ab"]);
        assert_ne!(of(Sort::User, &["ab"]), elsewhere);
        assert_eq!(format!("{maker:?}"), "KeyMaker(..)");
    }

    #[test]
    fn an_owner_has_a_bucket_of_each_tier_and_all_of_them_at_home() {
        let maker = KeyMaker::new(2).unwrap();
        let [ann, bob] = ["ann", "bob"].map(|name| owner(&maker, Sort::User, &[name]));
        let session = |owner, id: &str| maker.within(owner, Sort::Session, [id.as_bytes()]);
        let keys = [
            maker.key(0, &ann),
            maker.key(1, &ann),
            maker.key(0, &session(&ann, "one")),
            maker.key(0, &session(&ann, "two")),
            maker.key(0, &bob),
            maker.key(0, &session(&bob, "one")),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| other.id != key.id), "{n}");
        }
        assert!(keys[..4].iter().all(|key| key.home == ann.home));
        assert!(keys[4..].iter().all(|key| key.home == bob.home));
        assert_ne!(ann.home, bob.home);
    }
}

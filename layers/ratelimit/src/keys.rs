use std::{fmt, hash::Hasher};

use bartizan_core::{Digester, Principal, PrincipalKind};
use siphasher::sip128::{Hash128, Hasher128, SipHasher13};

use crate::RateLimitConfigError;

/// Who a bucket belongs to: a keyed hash, so that no name and no credential is kept, and nobody
/// outside can choose two names that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    digest: [u64; 2],
    home: u64,
    minted: Minted,
}

/// Whether a party makes as many of these as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Minted {
    No,
    /// Nobody knows which party.
    Yes,
    /// Within what has this digest.
    Within([u64; 2]),
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
    Tenant,
    Method,
    Tool,
    /// Two of the others.
    Both,
    /// What a closure says.
    Said,
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
    /// Whether its owner makes as many of these as it likes.
    pub(crate) is_minted: bool,
    /// The bucket that those of them share for which there is no room.
    pub(crate) shared: Option<Id>,
}

/// A bucket's name: its owner's digest, masked for the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) [u64; 2]);

/// Makes keys under secrets of its own.
#[derive(Clone)]
pub(crate) struct KeyMaker {
    owners: SipHasher13,
    masks: SipHasher13,
    /// As which principals remember its hashes.
    digester: Digester,
}

/// What tells the buckets of one tier from those of another: as secret and as random as the digests,
/// so that no two owners meet in different tiers either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mask([u64; 2]);

impl KeyMaker {
    pub(crate) fn new() -> Result<Self, RateLimitConfigError> {
        Ok(Self {
            owners: hasher()?,
            masks: hasher()?,
            digester: Digester::new(),
        })
    }

    /// Under secrets that several processes share.
    #[cfg(feature = "redis")]
    pub(crate) fn with_secrets(owners: &[u8; 16], masks: &[u8; 16]) -> Self {
        Self {
            owners: SipHasher13::new_with_key(owners),
            masks: SipHasher13::new_with_key(masks),
            digester: Digester::new(),
        }
    }

    /// The mask of the tier that is the same in several processes by this name.
    #[cfg(feature = "redis")]
    pub(crate) fn mask_of(&self, identity: &str) -> Mask {
        Mask(halves(self.masks.hash(identity.as_bytes())))
    }

    /// The mask of the tier that has this number.
    pub(crate) fn mask(&self, tier: u64) -> Mask {
        Mask(halves(self.masks.hash(&tier.to_le_bytes())))
    }

    /// The owner that is made of parts. Owners of different sorts never meet.
    pub(crate) fn owner<'p>(&self, sort: Sort, parts: impl IntoIterator<Item = &'p [u8]>) -> Owner {
        Owner::of(digest_of(self.start(sort), parts), Minted::No)
    }

    /// Whoever is behind a principal that is somebody's, whatever client it acts through.
    #[inline]
    pub(crate) fn account(&self, principal: &Principal) -> Owner {
        let digest = principal.account_digest(&self.digester, |account| {
            let sort = match account.kind {
                PrincipalKind::Service => Sort::Service,
                _ => Sort::User,
            };
            let parts = [account.issuer, account.subject];
            digest_of(self.start(sort), parts.map(str::as_bytes))
        });
        Owner::of(digest, Minted::No)
    }

    /// The owner that is a number: of one sort either all are numbers or none is.
    pub(crate) fn numbered(&self, sort: Sort, number: u128) -> Owner {
        Owner::of(
            halves(self.start(sort).hash(&number.to_le_bytes())),
            Minted::No,
        )
    }

    /// What somebody can mint, and nobody knows who.
    pub(crate) fn minted<'p>(
        &self,
        sort: Sort,
        parts: impl IntoIterator<Item = &'p [u8]>,
    ) -> Owner {
        Owner::of(digest_of(self.start(sort), parts), Minted::Yes)
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
            // Of what was minted there is one share, whatever is minted within it.
            minted: match owner.minted {
                Minted::No => Minted::Within(owner.digest),
                minted => minted,
            },
        }
    }

    /// Both together, at home where the first is.
    pub(crate) fn both(&self, owner: &Owner, other: &Owner) -> Owner {
        let mut hasher = self.start(Sort::Both);
        for half in owner.digest.into_iter().chain(other.digest) {
            hasher.write_u64(half);
        }
        Owner {
            digest: halves(hasher.finish128()),
            ..*owner
        }
    }

    fn start(&self, sort: Sort) -> SipHasher13 {
        let mut hasher = self.owners;
        hasher.write_u64(sort as u64);
        hasher
    }
}

impl Mask {
    /// The owner's bucket of the tier.
    #[inline]
    pub(crate) fn key(self, owner: &Owner) -> Key {
        let Self([mask, other]) = self;
        let id = |[front, back]: [u64; 2]| Id([front ^ mask, back ^ other]);
        Key {
            home: owner.home,
            id: id(owner.digest),
            is_minted: owner.minted != Minted::No,
            shared: match owner.minted {
                Minted::Within(digest) => Some(id(digest)),
                _ => None,
            },
        }
    }

    /// The tier's only bucket, or the one that new keys share.
    #[inline]
    pub(crate) fn fixed(self) -> Id {
        Id(self.0)
    }
}

impl Owner {
    fn of(digest: [u64; 2], minted: Minted) -> Self {
        let [home, _] = digest;
        Self {
            digest,
            home,
            minted,
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
        let maker = KeyMaker::new().unwrap();
        let of = |sort, parts: &[&str]| owner(&maker, sort, parts);
        assert_eq!(of(Sort::User, &["ab", "c"]), of(Sort::User, &["ab", "c"]));
        assert_ne!(of(Sort::User, &["ab", "c"]), of(Sort::User, &["a", "bc"]));
        assert_ne!(of(Sort::User, &["ab"]), of(Sort::User, &["ab", ""]));
        assert_ne!(of(Sort::User, &["ab"]), of(Sort::Service, &["ab"]));
        let elsewhere = owner(&KeyMaker::new().unwrap(), Sort::User, &["ab"]);
        assert_ne!(of(Sort::User, &["ab"]), elsewhere);
        assert_eq!(format!("{maker:?}"), "KeyMaker(..)");
    }

    #[test]
    fn a_principal_is_the_same_owner_each_time_and_another_to_another_maker() {
        let makers = [KeyMaker::new().unwrap(), KeyMaker::new().unwrap()];
        let ann = Principal::user("issuer", "ann").build("jwt");
        let owners = makers.each_ref().map(|maker| maker.account(&ann));
        for (maker, first) in makers.iter().zip(owners) {
            assert_eq!(first, owner(maker, Sort::User, &["issuer", "ann"]));
            assert_eq!(first, maker.account(&ann), "once more");
            let of_service = Principal::service("issuer", "ann").build("jwt");
            let expected = owner(maker, Sort::Service, &["issuer", "ann"]);
            assert_eq!(maker.account(&of_service), expected);
        }
        assert_ne!(owners[0], owners[1]);
    }

    #[test]
    fn an_owner_has_a_bucket_of_each_tier_and_all_of_them_at_home() {
        let maker = KeyMaker::new().unwrap();
        let [ann, bob] = ["ann", "bob"].map(|name| owner(&maker, Sort::User, &[name]));
        let [first, second] = [0, 1].map(|tier| maker.mask(tier));
        let session = |owner, id: &str| maker.within(owner, Sort::Session, [id.as_bytes()]);
        let keys = [
            first.key(&ann),
            second.key(&ann),
            first.key(&session(&ann, "one")),
            first.key(&session(&ann, "two")),
            first.key(&maker.both(&ann, &bob)),
            first.key(&bob),
            first.key(&maker.both(&bob, &ann)),
            first.key(&session(&bob, "one")),
        ];
        for (n, key) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| other.id != key.id), "{n}");
        }
        assert!(keys[..5].iter().all(|key| key.home == ann.home));
        assert!(keys[5..].iter().all(|key| key.home == bob.home));
        assert_ne!(ann.home, bob.home);
    }
}

use std::sync::atomic::{AtomicU64, Ordering};

use bartizan_token::json;
use serde_json::Value;

use super::jwk;
use crate::{
    Algorithm,
    crypto::{Material, PreparedKey},
};

/// More keys than any issuer publishes.
const MAX_KEYS: usize = 64;

/// A key with the one algorithm that it may check (TV-5).
pub(crate) struct Key {
    pub(crate) kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) prepared: PreparedKey,
}

impl Key {
    /// What tokens can tell it by.
    fn name(&self) -> (Option<&str>, Algorithm) {
        (self.kid.as_deref(), self.algorithm)
    }
}

/// The keys of one issuer at one time.
pub(crate) struct KeySet {
    keys: Vec<Key>,
    generation: Generation,
}

/// Which key set: no two of a process have the same, whereas an address may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A key of a published set that cannot be used, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SkippedKey {
    pub(crate) kid: Option<String>,
    pub(crate) reason: &'static str,
}

impl SkippedKey {
    pub(crate) fn is_private(&self) -> bool {
        self.reason == jwk::PRIVATE
    }
}

pub(crate) enum Found<'a> {
    /// The one that the token names.
    Named(&'a Key),
    /// The only one that fits, which nothing names.
    Nameless(&'a Key),
    /// A newer set may have it.
    Unknown(&'static str),
    /// No newer set will help.
    Mismatch(&'static str),
}

impl KeySet {
    /// Reads a JWK set. Keys that cannot be used are skipped one by one, and one that is listed twice is
    /// one key; a set of which nothing remains is refused.
    pub(crate) fn from_jwks(
        document: &[u8],
        allowed: &[Algorithm],
    ) -> Result<(Self, Vec<SkippedKey>), &'static str> {
        let document = json::object(document)?;
        let Some(Value::Array(jwks)) = document.get("keys") else {
            return Err("no list of keys");
        };
        if jwks.len() > MAX_KEYS {
            return Err("too many keys");
        }
        let mut keys: Vec<(Key, Material)> = Vec::with_capacity(jwks.len());
        let mut skipped = Vec::new();
        for jwk in jwks {
            match jwk::read_with_material(jwk, allowed) {
                Ok((key, material)) => {
                    let is_same = |(other, theirs): &(Key, Material)| {
                        other.name() == key.name() && theirs.is_same_public_key(&material)
                    };
                    if !keys.iter().any(is_same) {
                        keys.push((key, material));
                    }
                }
                Err(reason) => skipped.push(SkippedKey {
                    kid: jwk.get("kid").and_then(Value::as_str).map(str::to_owned),
                    reason,
                }),
            }
        }
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        let set = Self::new(keys, &mut skipped);
        if set.keys.is_empty() {
            return Err("no usable key");
        }
        Ok((set, skipped))
    }

    /// A set of these keys, without those that share id and algorithm, or have no id and share the
    /// algorithm: which one is meant?
    pub(crate) fn new(keys: Vec<Key>, skipped: &mut Vec<SkippedKey>) -> Self {
        let names = keys.iter().map(|key| (key.kid.clone(), key.algorithm));
        let names: Vec<_> = names.collect();
        let is_single = |key: &Key| {
            let same = names
                .iter()
                .map(|(kid, algorithm)| (kid.as_deref(), *algorithm));
            same.filter(|name| *name == key.name()).count() == 1
        };
        let (single, repeated) = keys.into_iter().partition::<Vec<_>, _>(is_single);
        skipped.extend(repeated.into_iter().map(|key| SkippedKey {
            reason: match key.kid {
                Some(_) => "another key has the same id",
                None => "another key of its algorithm has no id either",
            },
            kid: key.kid,
        }));
        Self {
            keys: single,
            generation: Generation::next(),
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The key for a token with this header.
    ///
    /// A token without key id is checked if exactly one key fits; a key without id fits every
    /// token, if it is the only such key.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let fitting = || self.keys.iter().filter(|key| key.algorithm == algorithm);
        let Some(kid) = kid else {
            return match (fitting().next(), fitting().nth(1)) {
                (Some(key), None) => Found::Nameless(key),
                (None, _) => Found::Unknown("no key for the algorithm"),
                (Some(_), Some(_)) => Found::Mismatch("no key id, and several keys fit"),
            };
        };
        let has_kid = |key: &&Key| key.kid.as_deref() == Some(kid);
        if let Some(key) = fitting().find(has_kid) {
            return Found::Named(key);
        }
        if self.keys.iter().any(|key| has_kid(&key)) {
            return Found::Mismatch("the key is for another algorithm");
        }
        let mut nameless = fitting().filter(|key| key.kid.is_none());
        match (nameless.next(), nameless.next()) {
            (Some(key), None) => Found::Nameless(key),
            (None, _) => Found::Unknown("no key has the token's key id"),
            (Some(_), Some(_)) => Found::Mismatch("several keys without id fit"),
        }
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys.iter().map(|key| (&key.kid, key.algorithm));
        f.debug_list().entries(keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use bartizan_kit::{Algorithm as Alg, Jwks, SigningKey};
    use serde_json::json;

    use super::*;

    fn read(jwks: &Jwks) -> Result<(KeySet, Vec<SkippedKey>), &'static str> {
        KeySet::from_jwks(jwks.to_string().as_bytes(), &Algorithm::DEFAULT)
    }

    fn all() -> Jwks {
        Jwks::of(&Alg::ALL.map(SigningKey::shared))
    }

    #[test]
    fn tr_20_one_broken_key_does_not_spoil_the_good_ones() {
        let (set, skipped) = read(&all().with_junk().with_oct("o", b"secret")).unwrap();
        assert_eq!(set.len(), 3);
        assert_eq!(skipped.len(), 6);
    }

    #[test]
    fn a_set_without_usable_keys_is_refused() {
        for set in [
            all().set("use", "enc"),
            Jwks::of([]),
            Jwks::of([]).with_oct("o", b"s"),
        ] {
            assert_eq!(read(&set).err(), Some("no usable key"));
        }
        for text in [
            "{}",
            "[]",
            r#"{"keys":{}}"#,
            r#"{"keys":[],"keys":[]}"#,
            "<html>",
        ] {
            assert!(KeySet::from_jwks(text.as_bytes(), &Algorithm::DEFAULT).is_err());
        }
        let many = (0..65).fold(all(), |set, _| set.with(json!({})));
        assert_eq!(read(&many).err(), Some("too many keys"));
    }

    #[test]
    fn keys_that_share_id_and_algorithm_are_both_skipped() {
        let twins = [1, 2].map(|_| SigningKey::generate(Alg::Es256).with_kid("twin"));
        let other = SigningKey::shared(Alg::EdDsa).with_kid("twin");
        let (set, skipped) = read(&Jwks::of(&twins).with(other.jwk())).unwrap();
        assert_eq!((set.len(), skipped.len()), (1, 2));
        assert!(matches!(
            set.find(Some("twin"), Algorithm::EdDSA),
            Found::Named(_)
        ));
        assert!(matches!(
            set.find(Some("twin"), Algorithm::ES256),
            Found::Mismatch(_)
        ));
    }

    #[test]
    fn keys_without_id_of_one_algorithm_are_skipped_since_none_could_be_chosen() {
        let twins = [1, 2].map(|_| SigningKey::generate(Alg::Es256));
        let nameless = Jwks::of(&twins).without("kid");
        assert_eq!(read(&nameless).err(), Some("no usable key"));
        let other = SigningKey::shared(Alg::EdDsa);
        let (set, skipped) = read(&nameless.with(other.jwk())).unwrap();
        assert_eq!((set.len(), skipped.len()), (1, 2));
        let reason = "another key of its algorithm has no id either";
        assert!(skipped.iter().all(|key| key.reason == reason));
    }

    #[test]
    fn a_key_that_is_listed_twice_is_one_key() {
        for alg in Alg::ALL {
            let key = SigningKey::shared(alg);
            for jwks in [
                Jwks::of([&key, &key]),
                Jwks::of([&key, &key]).without("kid"),
            ] {
                let (set, skipped) = read(&jwks).unwrap();
                assert_eq!((set.len(), skipped.len()), (1, 0));
            }
            let twin = SigningKey::generate(alg).with_kid(key.kid());
            let ambiguous = Jwks::of([&key, &twin, &key]);
            assert_eq!(read(&ambiguous).err(), Some("no usable key"));
        }
    }

    #[test]
    fn tv_5_a_key_serves_one_algorithm_only() {
        let rsa = SigningKey::shared(Alg::Rs256);
        let (set, _) = read(&all()).unwrap();
        assert!(matches!(
            set.find(Some(rsa.kid()), Algorithm::RS256),
            Found::Named(_)
        ));
        assert!(matches!(
            set.find(Some(rsa.kid()), Algorithm::PS256),
            Found::Mismatch(_)
        ));
        assert!(matches!(
            set.find(Some("x"), Algorithm::RS256),
            Found::Unknown(_)
        ));
    }

    #[test]
    fn a_token_without_key_id_needs_a_single_fitting_key() {
        let (set, _) = read(&all()).unwrap();
        assert!(matches!(
            set.find(None, Algorithm::ES256),
            Found::Nameless(_)
        ));
        assert!(matches!(
            set.find(None, Algorithm::ES384),
            Found::Unknown(_)
        ));
        let second = all().with(SigningKey::generate(Alg::Es256).jwk());
        let (set, _) = read(&second).unwrap();
        assert!(matches!(
            set.find(None, Algorithm::ES256),
            Found::Mismatch(_)
        ));
    }
}

use std::{fmt, sync::Arc};

use bartizan_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(feature = "attenuation")]
use crate::VerifyingKey;
use crate::{ApiKeyConfigError, KeyId, SecretHash, secret::KeySecret};

/// The secrets of the server under which secrets of keys are hashed: a store that was stolen alone tells
/// nothing, and can't be written into so that another key verifies. Keys of other systems are under none.
///
/// A ring: new keys are hashed under the current pepper, and older ones verify under theirs as long as it is
/// here. To change it: first give the new one to all processes as an older one, then make it current, and keep
/// the old one until no record names it. A key that is used is hashed anew under the current one, so a process that
/// does not have that one would refuse it.
///
/// ```
/// use bartizan_apikey::Peppers;
/// use bartizan_core::Secret;
/// # let (from_2025, from_2026) = ([1_u8; 32].to_vec(), [2_u8; 32].to_vec());
/// let peppers = Peppers::new(2, Secret::from(from_2026))?.and_older(1, Secret::from(from_2025))?;
/// // No: 32 bytes are the least.
/// assert!(Peppers::new(3, Secret::from("short".to_owned())).is_err());
/// # Ok::<(), bartizan_apikey::ApiKeyConfigError>(())
/// ```
#[derive(Clone)]
pub struct Peppers(Arc<Vec<Pepper>>);

/// The first one is current.
#[derive(Clone)]
struct Pepper {
    number: u32,
    /// Both keys taken in already, which is half of the work.
    state: Hmac<Sha256>,
}

#[cfg(test)]
thread_local! {
    /// How many hashes this thread made.
    pub(crate) static HASHES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What is hashed begins so, so that no other use of the same pepper makes such a hash.
const PURPOSE: &[u8] = b"apikey1";
/// The same for honey keys.
const HONEY: &[u8] = b"apikeyh";
#[cfg(feature = "attenuation")]
const PURPOSE_OF_PUBLIC: &[u8] = b"public key of an apikey 1";
/// The same of honey keys.
#[cfg(feature = "attenuation")]
const HONEY_PUBLIC: &[u8] = b"public key of an apikey h";

/// The same for secrets that another system made: as long, so that neither is the beginning of the other.
#[cfg(feature = "imported")]
const IMPORTED: &[u8] = b"apikeyi";

impl Peppers {
    /// A ring of one. Its number is written into records, and is never used again for another one.
    ///
    /// # Errors
    ///
    /// If it has less than 32 bytes, which the system's random generator should have made.
    pub fn new(number: u32, pepper: Secret) -> Result<Self, ApiKeyConfigError> {
        Ok(Self(Arc::new(vec![Pepper::new(number, &pepper)?])))
    }

    /// One more under which older keys verify.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and if its number is there already.
    pub fn and_older(mut self, number: u32, pepper: Secret) -> Result<Self, ApiKeyConfigError> {
        if self.find(number).is_some() {
            let problem = "is there twice";
            return Err(ApiKeyConfigError::new(
                "pepper",
                number.to_string(),
                problem,
            ));
        }
        let pepper = Pepper::new(number, &pepper)?;
        Arc::make_mut(&mut self.0).push(pepper);
        Ok(self)
    }

    /// The hash of a new key's secret.
    pub(crate) fn hash(&self, id: KeyId, secret: &KeySecret) -> SecretHash {
        self.current().hash(PURPOSE, id, secret.expose())
    }

    /// The hash of a honey key's secret.
    pub(crate) fn hash_honey(&self, id: KeyId, secret: &KeySecret) -> SecretHash {
        let pepper = self.current();
        SecretHash::Honey {
            pepper: pepper.number,
            mac: pepper.mac(HONEY, id, secret.expose()),
        }
    }

    /// The hash of a secret that another system made.
    #[cfg(feature = "imported")]
    pub(crate) fn hash_imported(&self, id: KeyId, secret: &[u8]) -> SecretHash {
        self.current().hash(IMPORTED, id, secret)
    }

    /// Whether the hash is that of the secret, be it a honey key's: in time that tells nothing of either. `None` if its
    /// pepper is not here.
    pub(crate) fn verify(&self, id: KeyId, secret: &KeySecret, hash: &SecretHash) -> Option<bool> {
        match hash {
            SecretHash::Hmac { pepper, mac } => {
                self.verify_for(PURPOSE, id, secret.expose(), *pepper, mac)
            }
            SecretHash::Honey { pepper, mac } => {
                self.verify_for(HONEY, id, secret.expose(), *pepper, mac)
            }
            _ => None,
        }
    }

    /// [`verify`](Self::verify), for a secret that another system made.
    #[cfg(feature = "imported")]
    pub(crate) fn verify_imported(
        &self,
        id: KeyId,
        secret: &[u8],
        hash: &SecretHash,
    ) -> Option<bool> {
        let SecretHash::Hmac { pepper, mac } = hash else {
            return None;
        };
        self.verify_for(IMPORTED, id, secret, *pepper, mac)
    }

    fn verify_for(
        &self,
        purpose: &[u8],
        id: KeyId,
        secret: &[u8],
        pepper: u32,
        mac: &[u8],
    ) -> Option<bool> {
        let pepper = self.find(pepper)?;
        let state = pepper.over(purpose, id, secret);
        Some(state.verify_slice(mac).is_ok())
    }

    /// Takes as long as [`verify`](Self::verify), for a key that there is not.
    pub(crate) fn verify_nothing(&self, id: KeyId, secret: &KeySecret) {
        let decoy = [0; SecretHash::BYTES];
        let verdict = self.current().over(PURPOSE, id, secret.expose());
        let verdict = verdict.verify_slice(&decoy);
        std::hint::black_box(verdict.is_ok());
    }

    /// What is kept of the public key that the children of a key with this hash are verified with: of a honey key it is
    /// for another purpose, as its hash is.
    #[cfg(feature = "attenuation")]
    pub(crate) fn vouch(
        &self,
        id: KeyId,
        hash: &SecretHash,
        key: [u8; VerifyingKey::BYTES],
    ) -> VerifyingKey {
        let Pepper { number, .. } = self.current();
        let purpose = purpose_of_public(hash);
        let mac = self.current().over_public(purpose, id, &key).finalize();
        VerifyingKey {
            pepper: *number,
            key,
            mac: mac.into_bytes().into(),
        }
    }

    /// Whether that was kept here, for this key. `None` if its pepper is not here.
    #[cfg(feature = "attenuation")]
    pub(crate) fn is_vouched(
        &self,
        id: KeyId,
        hash: &SecretHash,
        key: &VerifyingKey,
    ) -> Option<bool> {
        let VerifyingKey { pepper, key, mac } = key;
        let pepper = self.find(*pepper)?;
        let state = pepper.over_public(purpose_of_public(hash), id, key);
        Some(state.verify_slice(mac).is_ok())
    }

    /// Whether a key with this hash could be good here.
    #[cfg(feature = "attenuation")]
    pub(crate) fn knows(&self, hash: &SecretHash) -> bool {
        number_of(hash).is_some_and(|pepper| self.find(pepper).is_some())
    }

    /// Keeps it under the current pepper, if it is vouched for under an older one; whether it was.
    #[cfg(feature = "attenuation")]
    pub(crate) fn vouch_anew(&self, id: KeyId, hash: &SecretHash, key: &mut VerifyingKey) -> bool {
        let is_due =
            key.pepper != self.current().number && self.is_vouched(id, hash, key) == Some(true);
        if is_due {
            *key = self.vouch(id, hash, key.key);
        }
        is_due
    }

    /// Whether a key is to be hashed anew when its secret is at hand.
    pub(crate) fn is_current(&self, hash: &SecretHash) -> bool {
        number_of(hash) == Some(self.current().number)
    }

    fn find(&self, number: u32) -> Option<&Pepper> {
        self.0.iter().find(|pepper| pepper.number == number)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a ring is made of one, and none goes"
    )]
    fn current(&self) -> &Pepper {
        &self.0[0]
    }
}

/// Under which pepper it is.
fn number_of(hash: &SecretHash) -> Option<u32> {
    match hash {
        SecretHash::Hmac { pepper, .. } | SecretHash::Honey { pepper, .. } => Some(*pepper),
        _ => None,
    }
}

#[cfg(feature = "attenuation")]
fn purpose_of_public(hash: &SecretHash) -> &'static [u8] {
    match hash {
        SecretHash::Honey { .. } => HONEY_PUBLIC,
        _ => PURPOSE_OF_PUBLIC,
    }
}

impl Pepper {
    fn new(number: u32, pepper: &Secret) -> Result<Self, ApiKeyConfigError> {
        let error = |problem| ApiKeyConfigError::new("pepper", number.to_string(), problem);
        if pepper.expose().len() < 32 {
            return Err(error("has less than 32 bytes"));
        }
        let state = Hmac::new_from_slice(pepper.expose());
        let state = state.map_err(|_| error("is no key of HMAC"))?;
        Ok(Self { number, state })
    }

    /// As [`over`](Self::over), for what is public.
    #[cfg(feature = "attenuation")]
    fn over_public(&self, purpose: &[u8], id: KeyId, key: &[u8]) -> Hmac<Sha256> {
        let mut state = self.state.clone();
        state.update(purpose);
        state.update(id.as_bytes());
        state.update(key);
        state
    }

    fn hash(&self, purpose: &[u8], id: KeyId, secret: &[u8]) -> SecretHash {
        SecretHash::Hmac {
            pepper: self.number,
            mac: self.mac(purpose, id, secret),
        }
    }

    fn mac(&self, purpose: &[u8], id: KeyId, secret: &[u8]) -> [u8; SecretHash::BYTES] {
        let state = self.over(purpose, id, secret);
        state.finalize().into_bytes().into()
    }

    /// The id is hashed too: a hash that was put under another id verifies nothing.
    fn over(&self, purpose: &[u8], id: KeyId, secret: &[u8]) -> Hmac<Sha256> {
        #[cfg(test)]
        HASHES.with(|hashes| hashes.set(hashes.get() + 1));
        let mut state = self.state.clone();
        state.update(purpose);
        state.update(id.as_bytes());
        state.update(secret);
        state
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.0.iter().map(|pepper| pepper.number);
        f.debug_list().entries(numbers).finish()
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn peppers(number: u32) -> Peppers {
        Peppers::new(number, pepper(number)).unwrap()
    }

    fn pepper(number: u32) -> Secret {
        Secret::from(vec![number as u8; 32])
    }

    fn secret(byte: u8) -> KeySecret {
        KeySecret::new(Zeroizing::new([byte; KeySecret::BYTES]))
    }

    fn id(byte: u8) -> KeyId {
        KeyId::new([byte; KeyId::BYTES])
    }

    #[test]
    fn a_secret_verifies_under_its_own_id_and_pepper_only() {
        let hash = peppers(1).hash(id(1), &secret(1));
        let verify = |peppers: Peppers, key, by| peppers.verify(id(key), &secret(by), &hash);
        assert_eq!(verify(peppers(1), 1, 1), Some(true));
        assert_eq!(verify(peppers(1), 1, 2), Some(false));
        assert_eq!(verify(peppers(1), 2, 1), Some(false));
        assert_eq!(verify(peppers(2), 1, 1), None);
        let others = Peppers::new(1, pepper(9)).unwrap();
        assert_eq!(verify(others, 1, 1), Some(false));
    }

    #[test]
    fn an_older_pepper_verifies_and_hashes_nothing_new() {
        let old = peppers(1).hash(id(1), &secret(1));
        let ring = peppers(2).and_older(1, pepper(1)).unwrap();
        assert_eq!(ring.verify(id(1), &secret(1), &old), Some(true));
        assert!(!ring.is_current(&old));
        assert!(ring.is_current(&ring.hash(id(1), &secret(1))));
    }

    #[test]
    fn a_pepper_that_is_short_or_there_twice_names_its_number() {
        for error in [
            Peppers::new(7, Secret::from(vec![1; 31])).unwrap_err(),
            peppers(7).and_older(7, pepper(1)).unwrap_err(),
            peppers(1).and_older(7, Secret::from(vec![])).unwrap_err(),
        ] {
            assert!(error.to_string().contains("`7`"), "{error}");
        }
    }

    /// It does not compile otherwise.
    #[test]
    fn what_hashes_secrets_overwrites_its_state_and_its_buffer() {
        fn overwrites<T: zeroize::ZeroizeOnDrop>() {}
        overwrites::<Sha256>();
    }

    #[test]
    fn tv_21_no_pepper_is_shown() {
        let ring = peppers(200).and_older(201, pepper(201)).unwrap();
        assert_eq!(format!("{ring:?}"), "[200, 201]");
    }
}

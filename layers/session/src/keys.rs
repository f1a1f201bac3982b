use std::{fmt, sync::Arc};

use aes_siv::{KeyInit, siv::Aes256Siv};
use bartizan_core::{Principal, Secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::{
    SessionConfigError,
    binding::{Binding, Purpose},
};

/// The keys under which session ids are wrapped for their principals.
///
/// The first wraps, all of them unwrap. What is wrapped is deterministic authenticated encryption
/// (AES-SIV, RFC 5297) of the inner id with the principal as associated data: of another principal,
/// or changed by one bit, it does not open. Clones are cheap.
///
/// ```
/// use bartizan_core::Principal;
/// use bartizan_session::SessionKeys;
/// let keys = SessionKeys::until_restart()?;
/// let ann = Principal::user("https://auth.example.com", "ann").build("jwt");
/// let bob = Principal::user("https://auth.example.com", "bob").build("jwt");
/// let wrapped = keys.wrap(&ann, b"8e25").unwrap();
/// assert_eq!(keys.open(&ann, wrapped.as_bytes()).as_deref(), Some(&b"8e25"[..]));
/// assert_eq!(keys.open(&bob, wrapped.as_bytes()), None);
/// # Ok::<(), bartizan_session::SessionConfigError>(())
/// ```
#[derive(Clone)]
pub struct SessionKeys(Arc<[Key]>);

#[derive(Clone)]
struct Key {
    /// Stands in what is wrapped, so that the right key is found at once.
    id: [u8; KEY_ID_BYTES],
    siv: Zeroizing<[u8; SIV_KEY_BYTES]>,
}

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;
const TAG_BYTES: usize = 16;
const SIV_KEY_BYTES: usize = 64;
/// What a made-up secret has less of, and a random one of 32 bytes, or its hexadecimal text, has not.
const MIN_DISTINCT: usize = 8;

impl SessionKeys {
    /// Shortest secret, in bytes.
    pub const MIN_SECRET_BYTES: usize = 32;

    /// Most keys: the one that wraps, and those that it replaced.
    pub const MAX_KEYS: usize = 8;

    /// Longest id that is wrapped, in bytes.
    pub const MAX_ID_BYTES: usize = 1024;

    /// Keys out of one secret. Nodes that share it open each other's ids.
    ///
    /// # Errors
    ///
    /// If it is shorter than [`MIN_SECRET_BYTES`](Self::MIN_SECRET_BYTES), or has so few different
    /// bytes that nothing random made it.
    pub fn new(secret: impl Into<Secret>) -> Result<Self, SessionConfigError> {
        Ok(Self([Key::derive(&secret.into())?].into()))
    }

    /// Also opens what was wrapped under another secret, for a rotation: the new one goes into
    /// [`new`](Self::new), the old one here until its sessions have ended.
    ///
    /// With several nodes, first let all of them accept the new one, then wrap with it.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); if the secret is there already; beyond
    /// [`MAX_KEYS`](Self::MAX_KEYS).
    pub fn accept(self, secret: impl Into<Secret>) -> Result<Self, SessionConfigError> {
        let key = Key::derive(&secret.into())?;
        if self.0.iter().any(|known| known.id == key.id) {
            let place = (self.0.len() + 1).to_string();
            return Err(SessionConfigError::new("key number", place, "is repeated"));
        }
        if self.0.len() == Self::MAX_KEYS {
            let count = (self.0.len() + 1).to_string();
            let problem = format!("are too many: at most {}", Self::MAX_KEYS);
            return Err(SessionConfigError::new("keys", count, problem));
        }
        Ok(Self(self.0.iter().cloned().chain([key]).collect()))
    }

    /// Random keys of this process: no other node opens what they wrapped, nor does the next process.
    ///
    /// Right where the inner server keeps its sessions in memory, since they end with it anyway.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn until_restart() -> Result<Self, SessionConfigError> {
        let mut secret = vec![0; Self::MIN_SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| {
            SessionConfigError::new("system randomness", error.to_string(), "is not to be had")
        })?;
        Self::new(secret)
    }

    /// Wraps an id for its principal: visible ASCII, always the same for the same two (SE-1).
    ///
    /// `None` if the id is empty or longer than [`MAX_ID_BYTES`](Self::MAX_ID_BYTES).
    pub fn wrap(&self, principal: &Principal, id: &[u8]) -> Option<String> {
        self.seal(&Binding::of(principal), Purpose::Session, id)
    }

    /// The id that was wrapped for this principal; `None` of anything else.
    pub fn open(&self, principal: &Principal, wrapped: &[u8]) -> Option<Vec<u8>> {
        self.unseal(&Binding::of(principal), Purpose::Session, wrapped)
    }

    pub(crate) fn seal(
        &self,
        binding: &Binding,
        purpose: Purpose<'_>,
        id: &[u8],
    ) -> Option<String> {
        if id.is_empty() || id.len() > Self::MAX_ID_BYTES {
            return None;
        }
        let key = self.0.first()?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + TAG_BYTES + id.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&[0; TAG_BYTES]);
        sealed.extend_from_slice(id);
        let (_, rest) = sealed.split_at_mut(HEAD_BYTES);
        let (tag, text) = rest.split_at_mut(TAG_BYTES);
        let made = key
            .cipher()
            .encrypt_inout_detached(binding.parts(purpose), text.into())
            .ok()?;
        tag.copy_from_slice(&made);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(crate) fn unseal(
        &self,
        binding: &Binding,
        purpose: Purpose<'_>,
        wrapped: &[u8],
    ) -> Option<Vec<u8>> {
        let longest = (HEAD_BYTES + TAG_BYTES + Self::MAX_ID_BYTES).div_ceil(3) * 4;
        if wrapped.len() > longest {
            return None;
        }
        // The decoder takes each text one way only: no padding, no other alphabet, no stray bits.
        let sealed = URL_SAFE_NO_PAD.decode(wrapped).ok()?;
        let (&version, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>()?;
        let (tag, text) = rest.split_first_chunk::<TAG_BYTES>()?;
        if version != VERSION || text.is_empty() {
            return None;
        }
        let key = self.0.iter().find(|key| key.id == *id)?;
        let mut text = text.to_vec();
        key.cipher()
            .decrypt_inout_detached(
                binding.parts(purpose),
                text.as_mut_slice().into(),
                &(*tag).into(),
            )
            .ok()?;
        Some(text)
    }
}

impl Key {
    fn derive(secret: &Secret) -> Result<Self, SessionConfigError> {
        let bytes = secret.expose();
        let length = bytes.len().to_string();
        if bytes.len() < SessionKeys::MIN_SECRET_BYTES {
            let problem = format!("is too short: at least {}", SessionKeys::MIN_SECRET_BYTES);
            return Err(SessionConfigError::new("a key of bytes", length, problem));
        }
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(seen) = seen.get_mut(usize::from(*byte)) {
                *seen = true;
            }
        }
        if seen.iter().filter(|seen| **seen).count() < MIN_DISTINCT {
            let problem = "is not random: it repeats a few of them";
            return Err(SessionConfigError::new("a key of bytes", length, problem));
        }
        let kdf = Hkdf::<Sha512>::new(Some(b"bartizan-session"), bytes);
        let mut key = Self {
            id: [0; KEY_ID_BYTES],
            siv: Zeroizing::new([0; SIV_KEY_BYTES]),
        };
        kdf.expand(b"aes-256-siv", &mut *key.siv)
            .and_then(|()| kdf.expand(b"key id", &mut key.id))
            .map_err(|_| SessionConfigError::new("a key of bytes", length, "can't be used"))?;
        Ok(key)
    }

    fn cipher(&self) -> Aes256Siv {
        Aes256Siv::new((&*self.siv).into())
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys({})", self.0.len())
    }
}

use std::fmt;

use bartizan_core::Secret;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

use super::link::{Hash, Link, Mac};
use crate::AuditConfigError;

/// What a [`Chain`](crate::Chain) is made with: a key for the MAC of each line, and one that signs checkpoints.
/// They belong to one log; another server has others.
#[derive(Clone)]
pub struct ChainKeys {
    pub(super) macs: Vec<MacKey>,
    signing: SigningKey,
}

/// What a log is verified with. Each is optional: see [`verify`](crate::verify).
#[derive(Clone, Default)]
pub struct VerifyKeys {
    pub(super) macs: Vec<MacKey>,
    public: Vec<VerifyingKey>,
}

/// A key of HMAC-SHA256 and its number, which stands in each line.
#[derive(Clone)]
pub(super) struct MacKey {
    pub(super) number: u32,
    state: Hmac<Sha256>,
}

pub(super) type Signer = [u8; 8];

/// No other use of the same keys makes such a MAC or signature.
const LINK: &[u8] = b"bartizan audit link 1\0";

impl ChainKeys {
    /// The key of the MACs, at least 32 bytes, with its number, and the seed of the Ed25519 key (RFC 8032
    /// §5.1.5), exactly 32 bytes. Both should have been made by the system's random generator.
    ///
    /// # Errors
    ///
    /// If one has another length.
    pub fn new(number: u32, mac: &Secret, seed: &Secret) -> Result<Self, AuditConfigError> {
        let macs = vec![MacKey::new(number, mac)?];
        let seed: [u8; 32] = seed.expose().try_into().map_err(|_| {
            AuditConfigError::new("signing key", "..", "is not a seed of exactly 32 bytes")
        })?;
        let signing = SigningKey::from_bytes(&seed);
        Ok(Self { macs, signing })
    }

    /// A key that earlier lines have their MAC from.
    ///
    /// # Errors
    ///
    /// If it has less than 32 bytes, or its number is there already.
    pub fn and_older(mut self, number: u32, mac: &Secret) -> Result<Self, AuditConfigError> {
        add(&mut self.macs, number, mac)?;
        Ok(self)
    }

    /// What signatures are verified with. No secret, but where it comes from must be trusted.
    pub fn public_key(&self) -> [u8; 32] {
        self.signing.verifying_key().to_bytes()
    }

    /// All that verifies what these keys make.
    pub fn verifying(&self) -> VerifyKeys {
        VerifyKeys {
            macs: self.macs.clone(),
            public: vec![self.signing.verifying_key()],
        }
    }

    pub(super) fn signer(&self) -> Signer {
        signer_of(&self.signing.verifying_key())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl VerifyKeys {
    /// None of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// A key of MACs, by its number.
    ///
    /// # Errors
    ///
    /// If it has less than 32 bytes, or its number is there already.
    pub fn and_mac(mut self, number: u32, mac: &Secret) -> Result<Self, AuditConfigError> {
        add(&mut self.macs, number, mac)?;
        Ok(self)
    }

    /// A public key of checkpoints.
    ///
    /// # Errors
    ///
    /// If it is no public key of Ed25519.
    pub fn and_public_key(mut self, key: [u8; 32]) -> Result<Self, AuditConfigError> {
        let key = VerifyingKey::from_bytes(&key).ok().filter(|k| !k.is_weak());
        let problem = "is no public key of Ed25519";
        self.public
            .push(key.ok_or_else(|| AuditConfigError::new("public key", "..", problem))?);
        Ok(self)
    }

    pub(super) fn has_public(&self) -> bool {
        !self.public.is_empty()
    }

    /// Whether the line's MAC is right, as far as that can be told.
    pub(super) fn vouch(&self, link: &Link<'_>) -> bool {
        self.macs.is_empty() || vouch(&self.macs, link)
    }

    /// Whether one of the keys signed it, as far as that can be told.
    pub(super) fn is_signed(&self, signer: Signer, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = Signature::from_bytes(signature);
        let mut signers = self.public.iter().filter(|key| signer_of(key) == signer);
        self.public.is_empty() || signers.any(|key| key.verify_strict(message, &signature).is_ok())
    }
}

pub(super) fn vouch(macs: &[MacKey], link: &Link<'_>) -> bool {
    let key = macs.iter().find(|key| key.number == link.key);
    key.is_some_and(|key| key.is_mac(link))
}

impl MacKey {
    fn new(number: u32, key: &Secret) -> Result<Self, AuditConfigError> {
        let error = |problem| AuditConfigError::new("mac key", number.to_string(), problem);
        if key.expose().len() < 32 {
            return Err(error("has less than 32 bytes"));
        }
        let state = Hmac::new_from_slice(key.expose());
        let state = state.map_err(|_| error("is no key of HMAC"))?;
        Ok(Self { number, state })
    }

    pub(super) fn mac(&self, seq: u64, hash: &Hash) -> Mac {
        let whole = self.begun(seq, hash).finalize().into_bytes();
        let mut mac = Mac::default();
        for (byte, made) in mac.iter_mut().zip(whole) {
            *byte = made;
        }
        mac
    }

    fn is_mac(&self, link: &Link<'_>) -> bool {
        let begun = self.begun(link.seq, &link.hash);
        begun.verify_truncated_left(&link.mac).is_ok()
    }

    fn begun(&self, seq: u64, hash: &Hash) -> Hmac<Sha256> {
        let mut state = self.state.clone();
        state.update(LINK);
        state.update(&seq.to_be_bytes());
        state.update(hash);
        state
    }
}

fn add(macs: &mut Vec<MacKey>, number: u32, mac: &Secret) -> Result<(), AuditConfigError> {
    if macs.iter().any(|key| key.number == number) {
        let problem = "is there twice";
        return Err(AuditConfigError::new(
            "mac key",
            number.to_string(),
            problem,
        ));
    }
    macs.push(MacKey::new(number, mac)?);
    Ok(())
}

fn signer_of(key: &VerifyingKey) -> Signer {
    key.as_bytes().first_chunk().copied().unwrap_or_default()
}

impl fmt::Debug for ChainKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainKeys").finish_non_exhaustive()
    }
}

impl fmt::Debug for VerifyKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyKeys")
            .field("macs", &self.macs.len())
            .field("public", &self.public.len())
            .finish()
    }
}

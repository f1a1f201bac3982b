use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{block::Root, chain::PublicKey};
use crate::secret::KeySecret;

/// A private key of Ed25519 (RFC 8032 §5.1.5): overwritten when it goes.
#[derive(Clone)]
pub(crate) struct Seed(KeySecret);

/// No other use of a key's secret makes these bytes.
const PURPOSE: &[u8] = b"bartizan apikey 1 first key of a chain";

impl Seed {
    /// That of a key: HKDF-SHA-256 (RFC 5869) of its secret, for this brand, environment and id alone.
    pub(crate) fn of_key(root: Root<'_>, secret: &KeySecret) -> Self {
        let mut bytes = Zeroizing::new([0; KeySecret::BYTES]);
        let mut info = PURPOSE.to_vec();
        root.write(&mut info);
        let extracted = Hkdf::<Sha256>::new(None, secret.expose());
        #[expect(clippy::expect_used, reason = "HKDF makes up to 8160 bytes")]
        extracted.expand(&info, &mut *bytes).expect("32 bytes");
        Self(KeySecret::new(bytes))
    }

    /// That which a child's text ends with.
    pub(crate) fn of_child(secret: KeySecret) -> Self {
        Self(secret)
    }

    /// A new one, which follows from nothing: who has it can't get at the one before. `None` if the system has no
    /// randomness.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; KeySecret::BYTES]);
        getrandom::fill(&mut *bytes).ok()?;
        Some(Self(KeySecret::new(bytes)))
    }

    pub(crate) fn secret(&self) -> &KeySecret {
        &self.0
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.signing_key().verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing_key().sign(message).to_bytes()
    }

    fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.expose())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

use sha2::{Digest as _, Sha256};

use super::{
    Attenuation,
    chain::PublicKey,
    wire::{Reader, write_sized},
};
use crate::KeyId;

/// The key that a chain hangs from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a> {
    pub(crate) brand: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) id: KeyId,
}

/// One link of a chain, as it was read: nothing of it is verified.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(super) attenuation: Attenuation,
    /// The same, byte for byte as it was signed.
    body: Box<[u8]>,
    /// Of the private key that signs the next one.
    pub(super) next: PublicKey,
    signature: [u8; Block::SIGNATURE],
}

/// Of everything up to a link.
pub(super) type BlockDigest = [u8; 32];

/// No other use of a key makes such a signature, and no other version of this.
const SIGNED: &[u8] = b"bartizan apikey 1 link of a chain";
const DIGESTED: &[u8] = b"bartizan apikey 1 digest of a link";

impl Root<'_> {
    /// Words have at most 24 characters, and the id a size of its own.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        for word in [self.brand, self.environment] {
            out.push(word.len() as u8);
            out.extend_from_slice(word.as_bytes());
        }
        out.extend_from_slice(self.id.as_bytes());
    }
}

impl Block {
    const SIGNATURE: usize = 64;

    /// One that `sign` signs. `None` if it is too long to be one.
    pub(super) fn make(
        attenuation: Attenuation,
        next: PublicKey,
        place: Place<'_>,
        sign: impl FnOnce(&[u8]) -> [u8; Block::SIGNATURE],
    ) -> Option<Self> {
        let body = attenuation.write()?;
        let mut block = Self {
            attenuation,
            body: body.into(),
            next,
            signature: [0; Self::SIGNATURE],
        };
        block.signature = sign(&block.message(place));
        Some(block)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let body = reader.sized()?;
        Some(Self {
            attenuation: Attenuation::read(body)?,
            body: body.into(),
            next: reader.array()?,
            signature: reader.array()?,
        })
    }

    #[must_use]
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        write_sized(&self.body, out)?;
        out.extend_from_slice(&self.next);
        out.extend_from_slice(&self.signature);
        Some(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.len().saturating_add(256)
    }

    /// Whether the key signed this here: for this key of a service, in this place, after that one.
    pub(super) fn is_signed_by(&self, key: &PublicKey, place: Place<'_>) -> bool {
        let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else {
            return false;
        };
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature);
        // Strictly: one signature has one text, and no key signs for another's.
        key.verify_strict(&self.message(place), &signature).is_ok()
    }

    pub(super) fn digest(&self, place: Place<'_>) -> BlockDigest {
        let digest = Sha256::new_with_prefix(DIGESTED);
        let digest = digest.chain_update(self.message(place));
        digest.chain_update(self.signature).finalize().into()
    }

    fn message(&self, place: Place<'_>) -> Vec<u8> {
        let mut message = SIGNED.to_vec();
        place.root.write(&mut message);
        message.push(place.index);
        message.extend_from_slice(&place.previous);
        message.extend_from_slice(&self.next);
        // It ends with what alone has no size of its own.
        message.extend_from_slice(&self.body);
        message
    }
}

/// Where in which chain a block stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) root: Root<'a>,
    pub(super) index: u8,
    /// The digest of the link before; zeros before the first.
    pub(super) previous: BlockDigest,
}

impl<'a> Place<'a> {
    pub(super) fn first(root: Root<'a>) -> Self {
        Self {
            root,
            index: 0,
            previous: [0; 32],
        }
    }

    pub(super) fn after(self, previous: BlockDigest) -> Self {
        Self {
            index: self.index.saturating_add(1),
            previous,
            ..self
        }
    }
}

use std::fmt;

use crate::letters::LETTERS;

/// What one link of a child's chain is called in records: 160 bits of the SHA-256 of all that it says, its
/// signature and all links before included.
///
/// Thirty-two characters of `a-z2-7` as text. No two children have a last link in common, unless one is a copy of
/// the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockId([u8; BlockId::BYTES]);

impl BlockId {
    pub(crate) const BYTES: usize = 20;

    /// Of the digest of a link.
    pub(crate) fn of(digest: &[u8; 32]) -> Self {
        let mut bytes = [0; Self::BYTES];
        for (byte, of_digest) in bytes.iter_mut().zip(digest) {
            *byte = *of_digest;
        }
        Self(bytes)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LETTERS.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({self})")
    }
}

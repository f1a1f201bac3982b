use std::fmt;

use zeroize::Zeroizing;

/// The secret of one key, in the clear: overwritten when it goes.
#[derive(Clone)]
pub(crate) struct KeySecret(Zeroizing<[u8; KeySecret::BYTES]>);

impl KeySecret {
    pub(crate) const BYTES: usize = 32;
    pub(crate) const CHARS: usize = 52;

    pub(crate) fn new(bytes: Zeroizing<[u8; Self::BYTES]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

use std::{fmt, str::FromStr};

use crate::letters::LETTERS;

/// What a key is found by, in stores and in records: public, random, 80 bits.
///
/// Sixteen characters of `a-z2-7` as text.
///
/// ```
/// use bartizan_apikey::KeyId;
/// let id: KeyId = "aaaqeayeaudaocaj".parse()?;
/// assert_eq!(id.to_string(), "aaaqeayeaudaocaj");
/// assert!("AAAQEAYEAUDAOCAJ".parse::<KeyId>().is_err());
/// # Ok::<(), bartizan_apikey::NoKeyId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KeyId::BYTES]);

/// A text that is no [`KeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoKeyId;

impl KeyId {
    pub(crate) const BYTES: usize = 10;
    pub(crate) const CHARS: usize = 16;

    pub(crate) fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        if text.len() != Self::CHARS {
            return Err(NoKeyId);
        }
        let mut bytes = [0; Self::BYTES];
        LETTERS
            .decode_mut(text.as_bytes(), &mut bytes)
            .map_err(|_| NoKeyId)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        LETTERS.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl fmt::Display for NoKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id of a key is 16 characters of a-z and 2-7")
    }
}

impl std::error::Error for NoKeyId {}

#[cfg(feature = "serde")]
crate::letters::as_text!(KeyId);

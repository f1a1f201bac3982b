use std::{fmt, str::FromStr};

use crate::letters::LETTERS;

/// The public half of the Ed25519 key pair that follows from a key's secret: what the key's children are
/// verified with.
///
/// It is no secret, and of no use to whoever guesses: a secret has 256 random bits. It is vouched for by a MAC
/// under a [pepper](crate::Peppers), so that whoever can write into the store and has no pepper still makes no
/// child of another's key.
///
/// As text `ed25519$1$…$…`: the method, the number of the pepper, the public key and the MAC in base32.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey {
    pub(crate) pepper: u32,
    pub(crate) key: [u8; VerifyingKey::BYTES],
    pub(crate) mac: [u8; VerifyingKey::BYTES],
}

/// A text that is no [`VerifyingKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVerifyingKey;

const ED25519: &str = "ed25519$";

impl VerifyingKey {
    pub(crate) const BYTES: usize = 32;
}

impl FromStr for VerifyingKey {
    type Err = NoVerifyingKey;

    fn from_str(text: &str) -> Result<Self, NoVerifyingKey> {
        let rest = text.strip_prefix(ED25519).ok_or(NoVerifyingKey)?;
        let (number, rest) = rest.split_once('$').ok_or(NoVerifyingKey)?;
        let (key, mac) = rest.split_once('$').ok_or(NoVerifyingKey)?;
        let pepper: u32 = number.parse().map_err(|_| NoVerifyingKey)?;
        let bytes = |text: &str| {
            let bytes = LETTERS.decode(text.as_bytes()).ok()?;
            bytes.try_into().ok()
        };
        let key = bytes(key).ok_or(NoVerifyingKey)?;
        let mac = bytes(mac).ok_or(NoVerifyingKey)?;
        // One text for one value: `+1` and `01` are not.
        let is_plain = pepper.to_string() == number;
        is_plain
            .then_some(Self { pepper, key, mac })
            .ok_or(NoVerifyingKey)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pepper, key, mac } = self;
        let (key, mac) = (LETTERS.encode_display(key), LETTERS.encode_display(mac));
        write!(f, "{ED25519}{pepper}${key}${mac}")
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pepper, key, .. } = self;
        let key = LETTERS.encode_display(key);
        write!(f, "VerifyingKey({ED25519}{pepper}${key}$..)")
    }
}

impl fmt::Display for NoVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no public key that children of a key are verified with")
    }
}

impl std::error::Error for NoVerifyingKey {}

#[cfg(feature = "serde")]
crate::letters::as_text!(VerifyingKey);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_verifying_key_is_read_as_it_was_written(
            pepper in any::<u32>(), key in any::<[u8; 32]>(), mac in any::<[u8; 32]>(),
        ) {
            let key = VerifyingKey { pepper, key, mac };
            prop_assert_eq!(key.to_string().parse::<VerifyingKey>(), Ok(key));
        }

        #[test]
        fn no_other_text_is_a_verifying_key(text in "(ed25519\\$)?[01+]{0,2}\\$?[a-z2-7=]{0,60}\\$?[a-z2-7]{0,60}") {
            if let Ok(key) = text.parse::<VerifyingKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}

use std::{fmt, str::FromStr};

use crate::{Argon2idHash, BcryptHash, letters::LETTERS};

/// What is kept of a key's secret.
///
/// As text `hmac-sha256$1$…`: the method, the number of its [pepper](crate::Peppers), the hash in base32. Slow ones
/// have the texts that other systems write: `$argon2id$v=19$…` and `$2b$…`. What it would cost to run one is not
/// looked at when it is read, but before it is run.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretHash {
    /// HMAC-SHA-256 under a pepper: for secrets of 256 random bits, which no slow hash protects better.
    Hmac {
        /// The pepper's number.
        pepper: u32,
        /// Over the purpose, the key's id and its secret.
        mac: [u8; SecretHash::BYTES],
    },
    /// The same of a honey key, which is never good: for another purpose, so that neither can be made the other by who
    /// may write records and has no pepper. As text `honey-hmac-sha256$1$…`, which versions that know no honey keys
    /// can't read.
    Honey {
        /// The pepper's number.
        pepper: u32,
        /// Over the purpose, the key's id and its secret.
        mac: [u8; SecretHash::BYTES],
    },
    /// Argon2id: of keys that another system made. Such keys verify with the feature `imported` only.
    Argon2id(Argon2idHash),
    /// Bcrypt: the same.
    Bcrypt(BcryptHash),
}

/// A text that is no [`SecretHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSecretHash;

const HMAC: &str = "hmac-sha256$";
const HONEY: &str = "honey-";

impl SecretHash {
    pub(crate) const BYTES: usize = 32;
}

impl FromStr for SecretHash {
    type Err = NoSecretHash;

    fn from_str(text: &str) -> Result<Self, NoSecretHash> {
        if let Some(hash) = Argon2idHash::read(text) {
            return Ok(Self::Argon2id(hash));
        }
        if let Some(hash) = BcryptHash::read(text) {
            return Ok(Self::Bcrypt(hash));
        }
        let (is_honey, text) = match text.strip_prefix(HONEY) {
            Some(text) => (true, text),
            None => (false, text),
        };
        let rest = text.strip_prefix(HMAC).ok_or(NoSecretHash)?;
        let (number, mac) = rest.split_once('$').ok_or(NoSecretHash)?;
        let pepper: u32 = number.parse().map_err(|_| NoSecretHash)?;
        let bytes = LETTERS.decode(mac.as_bytes()).map_err(|_| NoSecretHash)?;
        let mac = bytes.try_into().map_err(|_| NoSecretHash)?;
        // One text for one value: `+1` and `01` are not.
        let is_plain = pepper.to_string() == number;
        match is_honey {
            _ if !is_plain => Err(NoSecretHash),
            true => Ok(Self::Honey { pepper, mac }),
            false => Ok(Self::Hmac { pepper, mac }),
        }
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac { pepper, mac } => {
                write!(f, "{HMAC}{pepper}${}", LETTERS.encode_display(mac))
            }
            Self::Honey { pepper, mac } => {
                write!(f, "{HONEY}{HMAC}{pepper}${}", LETTERS.encode_display(mac))
            }
            Self::Argon2id(hash) => hash.fmt(f),
            Self::Bcrypt(hash) => hash.fmt(f),
        }
    }
}

impl fmt::Debug for SecretHash {
    /// Of no use to whoever reads a log, unless the pepper leaked as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac { pepper, .. } => write!(f, "SecretHash({HMAC}{pepper}$..)"),
            Self::Honey { pepper, .. } => write!(f, "SecretHash({HONEY}{HMAC}{pepper}$..)"),
            Self::Argon2id(hash) => write!(f, "SecretHash({hash:?})"),
            Self::Bcrypt(hash) => write!(f, "SecretHash({hash:?})"),
        }
    }
}

impl fmt::Display for NoSecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no hash of a key's secret")
    }
}

impl std::error::Error for NoSecretHash {}

#[cfg(feature = "serde")]
crate::letters::as_text!(SecretHash);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_hash_is_read_as_it_was_written(pepper in any::<u32>(), mac in any::<[u8; 32]>()) {
            for hash in [SecretHash::Hmac { pepper, mac }, SecretHash::Honey { pepper, mac }] {
                prop_assert_eq!(hash.to_string().parse::<SecretHash>(), Ok(hash.clone()));
                let shown = format!("{hash:?}");
                prop_assert!(!shown.contains(&LETTERS.encode(&mac)));
            }
        }

        #[test]
        fn no_other_text_is_a_hash(text in "(honey-){0,2}(hmac-sha256\\$)?[01+]{0,3}\\$?[a-z2-7=]{0,60}") {
            if let Ok(hash) = text.parse::<SecretHash>() {
                prop_assert_eq!(hash.to_string(), text);
            }
        }
    }
}

use std::{fmt, fmt::Write as _, sync::Arc};

use bartizan_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Kind, SensitiveConfigError};

/// Names that stand for values: always the same for the same value, and no way back without the key.
///
/// So records can be searched for a value that none of them shows. `{kind}:{number of the key}:{24 hexadecimal digits}`, the
/// beginning of an HMAC-SHA256.
///
/// A ring: values are named under the current key, and [`all_of`](Self::all_of) tells what they were called under older ones.
/// Whoever has a key can tell whether a guess is right, and of a card's number all guesses: keep it as a secret.
///
/// ```
/// use bartizan_core::Secret;
/// use bartizan_sensitive::{Kind, Pseudonyms};
/// let names = Pseudonyms::new(2, &Secret::from(vec![2; 32]))?.and_older(1, &Secret::from(vec![1; 32]))?;
/// let ann = names.of(Kind::Email, "ann@example.com");
/// assert!(ann.starts_with("email:2:") && ann == names.of(Kind::Email, "ann@example.com"));
/// assert_eq!(names.all_of(Kind::Email, "ann@example.com").count(), 2);
/// // No: 32 bytes are the least.
/// assert!(Pseudonyms::new(3, &Secret::from("short".to_owned())).is_err());
/// # Ok::<(), bartizan_sensitive::SensitiveConfigError>(())
/// ```
#[derive(Clone)]
pub struct Pseudonyms(Arc<Vec<Key>>);

#[derive(Clone)]
struct Key {
    number: u32,
    state: Hmac<Sha256>,
}

/// What is hashed begins so, so that no other use of the same key makes such a hash.
const PURPOSE: &[u8] = b"pseudonym1";

/// How many bytes of the hash are shown.
const SHOWN: usize = 12;

impl Pseudonyms {
    /// A ring of one key. Its number stands in every name, and is never used again for another key.
    ///
    /// # Errors
    ///
    /// If it has less than 32 bytes, which the system's random generator should have made.
    pub fn new(number: u32, key: &Secret) -> Result<Self, SensitiveConfigError> {
        Ok(Self(Arc::new(vec![Key::new(number, key)?])))
    }

    /// One more, under which values were named before.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and if its number is there already.
    pub fn and_older(mut self, number: u32, key: &Secret) -> Result<Self, SensitiveConfigError> {
        if self.0.iter().any(|key| key.number == number) {
            let problem = "is there twice";
            return Err(SensitiveConfigError::new(
                "key",
                number.to_string(),
                problem,
            ));
        }
        let key = Key::new(number, key)?;
        Arc::make_mut(&mut self.0).push(key);
        Ok(self)
    }

    /// What the value is called now.
    pub fn of(&self, kind: Kind, value: &str) -> String {
        self.all_of(kind, value).next().unwrap_or_default()
    }

    /// What the value is called now, and was called under each older key: what to search for.
    pub fn all_of<'a>(&'a self, kind: Kind, value: &'a str) -> impl Iterator<Item = String> + 'a {
        self.0.iter().map(move |key| key.name(kind, value))
    }
}

impl Key {
    fn new(number: u32, key: &Secret) -> Result<Self, SensitiveConfigError> {
        let error = |problem| SensitiveConfigError::new("key", number.to_string(), problem);
        if key.expose().len() < 32 {
            return Err(error("has less than 32 bytes"));
        }
        let state = Hmac::new_from_slice(key.expose());
        let state = state.map_err(|_| error("is no key of HMAC"))?;
        Ok(Self { number, state })
    }

    fn name(&self, kind: Kind, value: &str) -> String {
        let mut state = self.state.clone();
        state.update(PURPOSE);
        state.update(kind.name().as_bytes());
        state.update(b"\0");
        state.update(value.as_bytes());
        let hash = state.finalize().into_bytes();
        let mut name = format!("{}:{}:", kind.name(), self.number);
        for byte in hash.iter().take(SHOWN) {
            // Into a string it can't fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.0.iter().map(|key| key.number);
        f.debug_list().entries(numbers).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(number: u32) -> Pseudonyms {
        Pseudonyms::new(number, &Secret::from(vec![number as u8; 32])).unwrap()
    }

    #[test]
    fn a_value_has_one_name_under_each_key_and_kind() {
        let name = ring(1).of(Kind::Email, "ann@example.com");
        assert_eq!(name.len(), "email:1:".len() + 2 * SHOWN);
        assert_eq!(name, ring(1).of(Kind::Email, "ann@example.com"));
        assert_ne!(name, ring(1).of(Kind::Email, "bob@example.com"));
        assert_ne!(name[8..], ring(1).of(Kind::Phone, "ann@example.com")[8..]);
        assert_ne!(name[8..], ring(2).of(Kind::Email, "ann@example.com")[8..]);
        let both = ring(2).and_older(1, &Secret::from(vec![1; 32])).unwrap();
        assert!(
            both.all_of(Kind::Email, "ann@example.com")
                .any(|old| old == name)
        );
    }

    #[test]
    fn a_key_that_is_short_or_there_twice_names_its_number() {
        for error in [
            Pseudonyms::new(7, &Secret::from(vec![1; 31])).unwrap_err(),
            ring(7)
                .and_older(7, &Secret::from(vec![1; 32]))
                .unwrap_err(),
        ] {
            assert!(error.to_string().contains("`7`"), "{error}");
        }
    }

    #[test]
    fn no_key_is_shown() {
        assert_eq!(format!("{:?}", ring(200)), "[200]");
    }
}

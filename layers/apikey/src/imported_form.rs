use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{ApiKeyConfigError, KeyForm, KeyId, Upgrade};

/// How keys look that another system made: a fixed prefix, a public part by which a key is found, and the secret.
///
/// `old_7f3a_Xk29…` is `ImportedForm::new("old_", PublicPart::Until('_'), …)`. Stores know nothing of it: the
/// [`KeyId`] of such a key is SHA-256 over the prefix and the public part, cut to 80 bits.
///
/// A key without a public part can't be imported. There is nothing to look it up by but its secret, which the other
/// system's hash does not tell; and to try the hashes of all keys one after the other is what made such systems slow.
/// Issue their holders new ones.
///
/// ```
/// use bartizan_apikey::{ImportedForm, PublicPart, Upgrade};
/// let form = ImportedForm::new("old_", PublicPart::Until('_'), Upgrade::ToHmac)?;
/// // No: tokens begin so.
/// assert!(ImportedForm::new("eyJ", PublicPart::Until('.'), Upgrade::ToHmac).is_err());
/// # Ok::<(), bartizan_apikey::ApiKeyConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedForm {
    prefix: Box<str>,
    public: PublicPart,
    upgrade: Upgrade,
    is_hashed_whole: bool,
    decoy_bcrypt: Option<u8>,
}

/// Where the public part of a key ends, after the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicPart {
    /// Before the first such character. The secret begins after it, and may contain it.
    Until(char),
    /// After so many characters, 1 to 128. The secret follows at once.
    Chars(usize),
}

/// A key of another system as it was presented.
pub(crate) struct ImportedText {
    pub(crate) id: KeyId,
    /// Overwritten when it goes.
    text: Zeroizing<String>,
    secret_at: usize,
    is_hashed_whole: bool,
}

/// Longest prefix, public part and secret.
const PREFIX: usize = 24;
const PUBLIC: usize = 128;
const SECRET: usize = 512;

/// What ids are hashed with, so that no other hash is one.
const PURPOSE: &[u8] = b"bartizan apikey: id of an imported key";

impl ImportedForm {
    /// Keys that begin with `prefix`. What becomes of their hashes when they are used is to be decided: see
    /// [`Upgrade`].
    ///
    /// # Errors
    ///
    /// If the prefix is not 2 to 24 characters of visible ASCII, or one that tokens begin with (`ey`); if the public
    /// part can't be told from the rest.
    pub fn new(
        prefix: &str,
        public: PublicPart,
        upgrade: Upgrade,
    ) -> Result<Self, ApiKeyConfigError> {
        let error = |problem| Err(ApiKeyConfigError::new("imported form", prefix, problem));
        if !(2..=PREFIX).contains(&prefix.len()) || !is_visible(prefix) {
            return error("is not 2 to 24 characters of visible ASCII");
        }
        if prefix.starts_with("ey") {
            return error("is what tokens begin with");
        }
        let is_told = match public {
            PublicPart::Until(end) => end.is_ascii_punctuation(),
            PublicPart::Chars(chars) => (1..=PUBLIC).contains(&chars),
        };
        if !is_told {
            return error(
                "has no public part that ends with punctuation or after 1 to 128 characters",
            );
        }
        Ok(Self {
            prefix: prefix.into(),
            public,
            upgrade,
            is_hashed_whole: false,
            decoy_bcrypt: None,
        })
    }

    /// The other system hashed the whole text of a key, and not its secret alone.
    #[must_use]
    pub fn hashed_whole(self) -> Self {
        Self {
            is_hashed_whole: true,
            ..self
        }
    }

    /// Most of its hashes are bcrypt of this cost, so a key that there is not takes as long as that. By default it
    /// takes as long as the Argon2id of [`ImportConfig`](crate::ImportConfig::argon2id).
    #[must_use]
    pub fn mostly_bcrypt(self, cost: u8) -> Self {
        Self {
            decoy_bcrypt: Some(cost),
            ..self
        }
    }

    pub(crate) fn begins(&self, text: &str) -> bool {
        text.starts_with(&*self.prefix)
    }

    pub(crate) fn upgrade(&self) -> Upgrade {
        self.upgrade
    }

    pub(crate) fn decoy_bcrypt(&self) -> Option<u8> {
        self.decoy_bcrypt
    }

    /// That no key is of two forms.
    pub(crate) fn check(
        &self,
        brand: &KeyForm,
        others: &[ImportedForm],
    ) -> Result<(), ApiKeyConfigError> {
        let brand = format!("{}_", brand.brand());
        let overlaps = |other: &str| self.prefix.starts_with(other) || self.begins(other);
        let problem = if overlaps(&brand) {
            "begins as the brand does, or the brand as it does"
        } else if others.iter().any(|other| overlaps(&other.prefix)) {
            "begins as another imported form does"
        } else {
            return Ok(());
        };
        Err(ApiKeyConfigError::new(
            "imported form",
            &*self.prefix,
            problem,
        ))
    }

    /// Reads a key: in time that tells how long it is, and nothing else of its secret.
    pub(crate) fn read(&self, text: &str) -> Option<ImportedText> {
        let rest = text.strip_prefix(&*self.prefix)?;
        let (public, secret) = match self.public {
            PublicPart::Until(end) => rest.split_once(end)?,
            PublicPart::Chars(chars) => rest.split_at_checked(chars)?,
        };
        if secret.is_empty() || secret.len() > SECRET || !is_visible(secret) {
            return None;
        }
        Some(ImportedText {
            id: self.id(public)?,
            text: Zeroizing::new(text.to_owned()),
            secret_at: text.len() - secret.len(),
            is_hashed_whole: self.is_hashed_whole,
        })
    }

    /// The id of the key that begins so: the text of a key up to where the public part ends. `None` if more stands
    /// there, or less.
    pub(crate) fn id_of_beginning(&self, text: &str) -> Option<KeyId> {
        let public = text.strip_prefix(&*self.prefix)?;
        let is_whole = match self.public {
            PublicPart::Until(end) => !public.contains(end),
            PublicPart::Chars(chars) => public.len() == chars,
        };
        is_whole.then(|| self.id(public))?
    }

    fn id(&self, public: &str) -> Option<KeyId> {
        if public.is_empty() || public.len() > PUBLIC || !is_visible(public) {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(PURPOSE);
        // Its length first: what is prefix and what is not stays told apart.
        hash.update([self.prefix.len() as u8]);
        hash.update(self.prefix.as_bytes());
        hash.update(public.as_bytes());
        let hash = hash.finalize();
        let bytes = hash.first_chunk::<{ KeyId::BYTES }>()?;
        Some(KeyId::new(*bytes))
    }
}

impl ImportedText {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn secret(&self) -> &[u8] {
        self.text
            .as_bytes()
            .get(self.secret_at..)
            .unwrap_or_default()
    }

    /// What the other system hashed.
    pub(crate) fn hashed(&self) -> &[u8] {
        match self.is_hashed_whole {
            true => self.text.as_bytes(),
            false => self.secret(),
        }
    }
}

impl fmt::Debug for ImportedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportedText")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(prefix: &str, public: PublicPart) -> ImportedForm {
        ImportedForm::new(prefix, public, Upgrade::ToHmac).unwrap()
    }

    #[test]
    fn a_key_is_cut_where_its_public_part_ends() {
        for (form, text, beginning, secret) in [
            (
                form("old_", PublicPart::Until('_')),
                "old_7f_a_b",
                "old_7f",
                "a_b",
            ),
            (form("sk-", PublicPart::Chars(2)), "sk-7f_a", "sk-7f", "_a"),
        ] {
            let read = form.read(text).unwrap();
            assert_eq!(read.secret(), secret.as_bytes());
            assert_eq!(read.hashed(), secret.as_bytes());
            assert_eq!(form.id_of_beginning(beginning), Some(read.id));
            let whole = form.clone().hashed_whole().read(text).unwrap();
            assert_eq!(whole.hashed(), text.as_bytes());
            assert_eq!(
                form.id_of_beginning(text),
                None,
                "a secret must not be given"
            );
            let shown = format!("{read:?}");
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn ids_of_two_systems_are_not_the_same() {
        let ids = ["old_", "old_a"].map(|prefix| {
            let form = form(prefix, PublicPart::Until('.'));
            form.id_of_beginning(&format!("{prefix}b")).unwrap()
        });
        assert_ne!(ids[0], ids[1]);
        let [a, b] = ["old_", "old_a"].map(|p| form(p, PublicPart::Until('.')));
        assert_ne!(a.id_of_beginning("old_ab"), b.id_of_beginning("old_ab"));
    }

    #[test]
    fn a_form_that_could_be_another_is_refused_by_name() {
        let brand = KeyForm::new("acme", ["live"]).unwrap();
        let old = form("old_", PublicPart::Until('_'));
        for prefix in ["acme_", "acme_old_", "ac"] {
            let error = form(prefix, PublicPart::Until('_'))
                .check(&brand, &[])
                .unwrap_err();
            assert!(error.to_string().contains(prefix), "{error}");
        }
        for prefix in ["old_", "old_er_", "ol"] {
            let form = form(prefix, PublicPart::Until('_'));
            assert!(form.check(&brand, std::slice::from_ref(&old)).is_err());
        }
        assert!(
            form("acme-", PublicPart::Until('_'))
                .check(&brand, &[old])
                .is_ok()
        );
        for (prefix, public) in [
            ("", PublicPart::Until('_')),
            ("a", PublicPart::Until('_')),
            ("a b", PublicPart::Until('_')),
            ("eyJ", PublicPart::Until('_')),
            ("old", PublicPart::Until('a')),
            ("old", PublicPart::Until(' ')),
            ("old", PublicPart::Until('é')),
            ("old", PublicPart::Chars(0)),
            ("old", PublicPart::Chars(129)),
        ] {
            assert!(ImportedForm::new(prefix, public, Upgrade::Never).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_refused(text in "(old_|)\\PC{0,30}_?\\PC{0,30}") {
            for form in [
                form("old_", PublicPart::Until('_')),
                form("old_", PublicPart::Chars(4)),
            ] {
                if let Some(read) = form.read(&text) {
                    prop_assert!(text.is_ascii());
                    prop_assert!(text.as_bytes().ends_with(read.secret()));
                }
            }
        }
    }
}

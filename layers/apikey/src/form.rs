use std::fmt;

#[cfg(feature = "attenuation")]
use bartizan_token::Fault;
use zeroize::Zeroizing;

#[cfg(feature = "attenuation")]
use crate::children::{Chain, Root};
use crate::{ApiKeyConfigError, KeyId, letters::LETTERS, secret::KeySecret};

/// How the keys of one service look:
/// `{brand}_{environment}_{id}_{secret}{checksum}`, as `acme_live_aaaqeayeaudaocaj_…`.
///
/// The prefix is fixed, so that scanners find keys that leaked; the id is public, so that a key is looked up
/// and not searched for; the secret has 256 random bits. The checksum is a CRC-32 of all before it: whoever
/// mistypes a key, or makes one up, is told so without a question to the store. It keeps no secret.
///
/// A child of a key has one part more, its chain, and a secret of its own:
/// `{brand}_{environment}_{id}_{chain}_{secret}{checksum}`, at most 4096 characters.
///
/// ```
/// use bartizan_apikey::KeyForm;
/// let form = KeyForm::new("acme", ["live", "test"])?;
/// let pattern = "acme_(live|test)_[a-z2-7]{16}_([a-z2-7]{159,}_)?[a-z2-7]{59}";
/// assert_eq!(form.scanner_pattern(), pattern);
/// # Ok::<(), bartizan_apikey::ApiKeyConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyForm {
    /// With the separator after it.
    brand: Box<str>,
    environments: Box<[Box<str>]>,
}

/// A key as it was presented, its checksum right. Whether there is such a key is not known yet.
pub(crate) struct Presented<'a> {
    pub(crate) environment: &'a str,
    pub(crate) id: KeyId,
    /// Of a child the last private key of its chain.
    pub(crate) secret: KeySecret,
    /// Of a child only.
    pub(crate) chain: Option<PresentedChain<'a>>,
}

/// The links of a child as they were presented, not read yet.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "attenuation"),
    expect(dead_code, reason = "who reads it")
)]
pub(crate) struct PresentedChain<'a>(&'a str);

/// Why a text is no key of this form: for the operator, never for the caller (AL-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    Brand,
    Environment,
    Shape,
    Checksum,
    Child,
}

/// Of the checksum's 4 bytes.
const CHECKSUM_CHARS: usize = 7;
const CHECKSUM_BYTES: usize = 4;

/// Secret and checksum.
const END: usize = KeySecret::CHARS + CHECKSUM_CHARS;

/// Least characters of a chain: one link that says nothing.
const SHORTEST_CHAIN: usize = 159;

/// Most characters of a child: what servers take as one header field.
const LONGEST_CHILD: usize = 4096;

/// Most characters of a brand, and of an environment.
const LONGEST: usize = 24;

impl KeyForm {
    /// A form with this brand, for these environments.
    ///
    /// # Errors
    ///
    /// If the brand or an environment is anything but 2 to 24 characters of `a-z0-9` that begin with a
    /// letter; if there is no environment, or one twice.
    pub fn new<'a>(
        brand: &str,
        environments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ApiKeyConfigError> {
        check_word("brand", brand)?;
        let mut known: Vec<Box<str>> = Vec::new();
        for environment in environments {
            check_word("environment", environment)?;
            if known.iter().any(|known| **known == *environment) {
                let problem = "is there twice";
                return Err(ApiKeyConfigError::new("environment", environment, problem));
            }
            known.push(environment.into());
        }
        if known.is_empty() {
            return Err(ApiKeyConfigError::of("environments", "are none"));
        }
        Ok(Self {
            brand: format!("{brand}_").into(),
            environments: known.into(),
        })
    }

    /// A regular expression that finds keys in texts: for secret scanners.
    pub fn scanner_pattern(&self) -> String {
        let environments = self.environments.join("|");
        format!(
            "{}({environments})_[a-z2-7]{{{}}}_([a-z2-7]{{{SHORTEST_CHAIN},}}_)?[a-z2-7]{{{END}}}",
            self.brand,
            KeyId::CHARS,
        )
    }

    /// The brand, as it was given.
    pub fn brand(&self) -> &str {
        self.brand.trim_end_matches('_')
    }

    /// The environments, as they were given.
    pub fn environments(&self) -> impl ExactSizeIterator<Item = &str> {
        self.environments.iter().map(AsRef::as_ref)
    }

    /// Whether a credential begins as keys of this service do, so that no other scheme takes it.
    pub fn begins(&self, text: &str) -> bool {
        text.starts_with(&*self.brand)
    }

    /// The text of a key.
    pub(crate) fn write(
        &self,
        environment: &str,
        id: KeyId,
        secret: &KeySecret,
    ) -> Zeroizing<String> {
        self.write_with(environment, id, None, secret)
    }

    /// The text of a child; `None` if it is too long.
    #[cfg(feature = "attenuation")]
    pub(crate) fn write_child(
        &self,
        environment: &str,
        id: KeyId,
        chain: &[u8],
        secret: &KeySecret,
    ) -> Option<Zeroizing<String>> {
        let text = self.write_with(environment, id, Some(chain), secret);
        (text.len() <= LONGEST_CHILD).then_some(text)
    }

    fn write_with(
        &self,
        environment: &str,
        id: KeyId,
        chain: Option<&[u8]>,
        secret: &KeySecret,
    ) -> Zeroizing<String> {
        let of_chain = chain.map_or(0, |chain| LETTERS.encode_len(chain.len()) + 1);
        // All of it at once: a text that grew would leave copies behind.
        let length = self.brand.len() + environment.len() + 1 + KeyId::CHARS + 1 + of_chain + END;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(&self.brand);
        text.push_str(environment);
        text.push('_');
        LETTERS.encode_append(id.as_bytes(), &mut text);
        text.push('_');
        if let Some(chain) = chain {
            LETTERS.encode_append(chain, &mut text);
            text.push('_');
        }
        LETTERS.encode_append(secret.expose(), &mut text);
        let checksum = crc32fast::hash(text.as_bytes());
        LETTERS.encode_append(&checksum.to_be_bytes(), &mut text);
        text
    }

    /// Reads a key that is no child: in time that tells how long it is, and nothing else of its secret.
    pub(crate) fn read<'a>(&self, text: &'a str) -> Result<Presented<'a>, Malformed> {
        let presented = self.read_any(text)?;
        match presented.chain {
            None => Ok(presented),
            Some(_) => Err(Malformed::Child),
        }
    }

    /// Reads a key, or a child of one.
    pub(crate) fn read_any<'a>(&self, text: &'a str) -> Result<Presented<'a>, Malformed> {
        if text.len() > LONGEST_CHILD {
            return Err(Malformed::Shape);
        }
        let rest = text.strip_prefix(&*self.brand).ok_or(Malformed::Brand)?;
        let (environment, tail) = rest.split_once('_').ok_or(Malformed::Shape)?;
        let is_known = self
            .environments
            .iter()
            .any(|known| **known == *environment);
        if !is_known {
            return Err(Malformed::Environment);
        }
        if !tail.is_ascii() {
            return Err(Malformed::Shape);
        }
        let (id, rest) = split(tail, KeyId::CHARS)?;
        let rest = rest.strip_prefix('_').ok_or(Malformed::Shape)?;
        let of_chain = rest.len().checked_sub(END).ok_or(Malformed::Shape)?;
        let (chain, end) = split(rest, of_chain)?;
        let chain = match chain.strip_suffix('_') {
            None if chain.is_empty() => None,
            Some(chain) if chain.len() >= SHORTEST_CHAIN => Some(PresentedChain(chain)),
            _ => return Err(Malformed::Shape),
        };
        let (before, checksum) = split(text, text.len() - CHECKSUM_CHARS)?;
        let mut expected = [0; CHECKSUM_BYTES];
        decode(checksum, &mut expected)?;
        if crc32fast::hash(before.as_bytes()) != u32::from_be_bytes(expected) {
            return Err(Malformed::Checksum);
        }
        let (secret, _) = split(end, KeySecret::CHARS)?;
        let mut bytes = Zeroizing::new([0; KeySecret::BYTES]);
        decode(secret, &mut *bytes)?;
        Ok(Presented {
            environment,
            id: id.parse().map_err(|_| Malformed::Shape)?,
            secret: KeySecret::new(bytes),
            chain,
        })
    }

    /// What chains of children hang from.
    #[cfg(feature = "attenuation")]
    pub(crate) fn root<'a>(&'a self, environment: &'a str, id: KeyId) -> Root<'a> {
        Root {
            brand: self.brand(),
            environment,
            id,
        }
    }
}

#[cfg(feature = "attenuation")]
impl PresentedChain<'_> {
    /// Reads the links; verifies nothing.
    pub(crate) fn read(self) -> Result<Chain, Fault> {
        let bytes = LETTERS.decode(self.0.as_bytes());
        Chain::read(&bytes.map_err(|_| "the child's chain can't be read")?)
    }
}

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("environment", &self.environment)
            .field("id", &self.id)
            .field("is_child", &self.chain.is_some())
            .finish_non_exhaustive()
    }
}

impl Malformed {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Brand => "the key does not begin with the brand",
            Self::Environment => "the key is of an environment that is not served here",
            Self::Shape => "the key has not the form of one",
            Self::Checksum => "the key's checksum is wrong",
            Self::Child => "the key is a child of one, which is not taken here",
        }
    }
}

fn split(text: &str, at: usize) -> Result<(&str, &str), Malformed> {
    text.split_at_checked(at).ok_or(Malformed::Shape)
}

fn decode(text: &str, bytes: &mut [u8]) -> Result<(), Malformed> {
    let decoded = LETTERS.decode_mut(text.as_bytes(), bytes);
    decoded.map(|_| ()).map_err(|_| Malformed::Shape)
}

fn check_word(setting: &'static str, word: &str) -> Result<(), ApiKeyConfigError> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let begins = word.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if (2..=LONGEST).contains(&word.len()) && begins && word.bytes().all(is_plain) {
        return Ok(());
    }
    let problem = "is not 2 to 24 characters of a-z0-9 that begin with a letter";
    Err(ApiKeyConfigError::new(setting, word, problem))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form() -> KeyForm {
        KeyForm::new("acme", ["live", "test"]).unwrap()
    }

    fn key(form: &KeyForm, byte: u8) -> Zeroizing<String> {
        let secret = KeySecret::new(Zeroizing::new([byte; KeySecret::BYTES]));
        form.write("live", KeyId::new([byte; KeyId::BYTES]), &secret)
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_found_by_the_scanners_pattern() {
        let text = key(&form(), 7);
        let presented = form().read(&text).unwrap();
        assert_eq!(presented.environment, "live");
        assert_eq!(presented.id, KeyId::new([7; KeyId::BYTES]));
        assert_eq!(presented.secret.expose(), &[7; KeySecret::BYTES]);
        assert_eq!(text.len(), "acme_live_".len() + 16 + 1 + 59);
        assert!(text.starts_with("acme_live_a4dqoby"), "{}", *text);
    }

    #[test]
    fn what_is_no_key_is_told_apart_for_the_operator() {
        let text = key(&form(), 7);
        for (text, expected) in [
            (text.replace("acme", "acne"), Malformed::Brand),
            (text.replace("live", "prod"), Malformed::Environment),
            (text.replace("live", "test"), Malformed::Checksum),
            (format!("{}a", *text), Malformed::Shape),
            (text.to_uppercase(), Malformed::Brand),
            ("acme_live".to_owned(), Malformed::Shape),
            ("acme_live_".to_owned(), Malformed::Shape),
            (
                format!("acme_live_{}_{}", "é".repeat(8), "é".repeat(END / 2)),
                Malformed::Shape,
            ),
            (format!("acme_live_{}", "_".repeat(END)), Malformed::Shape),
        ] {
            assert_eq!(form().read(&text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn a_word_that_would_not_stand_apart_is_refused_by_name() {
        for word in ["", "a", "a_b", "Acme", "4cme", "acme-", &"a".repeat(25)] {
            let error = KeyForm::new(word, ["live"]).unwrap_err();
            assert_eq!(error.setting(), "brand");
            let error = KeyForm::new("acme", [word]).unwrap_err();
            let named = format!("environment `{word}`");
            assert!(error.to_string().contains(&named), "{error}");
        }
        assert!(KeyForm::new("acme", []).is_err());
        assert!(KeyForm::new("acme", ["live", "live"]).is_err());
    }

    proptest! {
        #[test]
        fn one_changed_character_is_seen(
            byte in any::<u8>(),
            place in 0_usize..86,
            letter in proptest::char::range(' ', '~'),
        ) {
            let text = key(&form(), byte);
            let mut chars: Vec<char> = text.chars().collect();
            prop_assume!(chars[place] != letter);
            chars[place] = letter;
            let changed: String = chars.into_iter().collect();
            prop_assert!(form().read(&changed).is_err());
        }

        #[test]
        fn no_text_is_more_than_refused(text in "(acme_|)(live_|)\\PC{0,90}") {
            prop_assert!(form().read(&text).is_err());
        }
    }
}

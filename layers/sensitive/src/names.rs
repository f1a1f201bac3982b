use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use aho_corasick::{
    Anchored,
    automaton::{Automaton, StateID},
    dfa::DFA,
};

use crate::SensitiveConfigError;

/// Names of fields whose values are sensitive, whatever they are.
///
/// Names are compared without case, and without `_`, `-`, `.` and spaces: `apiKey`, `API_KEY` and `x-api-key` are one.
///
/// ```
/// use bartizan_sensitive::Names;
/// let names = Names::new().with("kennitala")?.without("token")?;
/// // Yes.
/// assert!(names.contain("db_password") && names.contain("X-API-Key") && names.contain("Kenni_Tala"));
/// // No.
/// assert!(!names.contain("token") && !names.contain("nextPageToken") && !names.contain("passenger"));
/// # Ok::<(), bartizan_sensitive::SensitiveConfigError>(())
/// ```
#[derive(Clone)]
pub struct Names {
    words: Vec<(String, Rule)>,
    automaton: Arc<Automation>,
}

struct Automation {
    dfa: DFA,
    start: StateID,
    words: Vec<(usize, Rule)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// The name is this word.
    Is,
    /// The name ends so.
    Ends,
    /// It is somewhere in the name.
    Holds,
    /// A name that ends so is harmless, though it ends as one that is not.
    Harmless,
}

const WORDS: &[(Rule, &[&str])] = &[
    (
        Rule::Holds,
        &["password", "passwd", "passphrase", "passcode", "creditcard"],
    ),
    (
        Rule::Ends,
        &[
            "secret",
            "token",
            "apikey",
            "privatekey",
            "secretkey",
            "accesskey",
            "accountkey",
            "signingkey",
            "encryptionkey",
            "masterkey",
            "authkey",
            "sharedaccesskey",
            "sharedaccesssignature",
            "accesskeysecret",
            "secretvalue",
            "clientassertion",
            "authorization",
            "cookie",
            "cookies",
            "credential",
            "credentials",
            "cardnumber",
            "cardno",
            "socialsecuritynumber",
            "connectionstring",
            "pincode",
        ],
    ),
    (
        Rule::Is,
        &[
            "pwd",
            "pass",
            "pw",
            "ssn",
            "cvv",
            "cvc",
            "cvv2",
            "csc",
            "pan",
            "pin",
            "otp",
            "jwt",
            "bearer",
            "dsn",
            "iban",
            "sessionid",
            "authcode",
            "mnemonic",
            "seedphrase",
            "totp",
        ],
    ),
    (
        Rule::Harmless,
        &[
            "pagetoken",
            "nexttoken",
            "continuationtoken",
            "synctoken",
            "progresstoken",
            "idempotencytoken",
        ],
    ),
];

/// Made once.
static KNOWN: LazyLock<Names> = LazyLock::new(|| {
    let words = WORDS.iter().flat_map(|(rule, words)| {
        let owned = |word: &&str| ((*word).to_owned(), *rule);
        words.iter().map(owned)
    });
    Names::of(words.collect())
});

impl Names {
    /// Most words, and most characters of one that is added.
    const MOST: usize = 512;
    const LONGEST: usize = 64;

    /// The names that are known everywhere: `password`, `secret`, `token`, `api_key`, `authorization`, `cookie`,
    /// `private_key`, `ssn`, `card_number`, `cvv` and their kin.
    pub fn new() -> Self {
        KNOWN.clone()
    }

    /// No names at all, to begin with.
    pub fn none() -> Self {
        Self::of(Vec::new())
    }

    /// One more: names that are this one.
    ///
    /// # Errors
    ///
    /// If it has no letters, more than 64 characters, or is the 513th.
    pub fn with(mut self, name: &str) -> Result<Self, SensitiveConfigError> {
        let word = Self::word(name)?;
        if self.words.len() >= Self::MOST {
            return Err(SensitiveConfigError::new("name", name, "is one too many"));
        }
        self.words.push((word, Rule::Is));
        Ok(Self::of(self.words))
    }

    /// A name that is not sensitive: of the known ones, or of those that end as one of them does.
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    pub fn without(mut self, name: &str) -> Result<Self, SensitiveConfigError> {
        let word = Self::word(name)?;
        self.words.retain(|(known, _)| *known != word);
        if self.words.len() >= Self::MOST {
            return Err(SensitiveConfigError::new("name", name, "is one too many"));
        }
        // `Ends` of a shorter word may cover it still.
        self.words.push((word, Rule::Harmless));
        Ok(Self::of(self.words))
    }

    /// Whether values of this name are sensitive.
    pub fn contain(&self, name: &str) -> bool {
        self.contain_bytes(name.as_bytes())
    }

    #[inline]
    pub(crate) fn contain_bytes(&self, name: &[u8]) -> bool {
        let Automation { dfa, start, words } = &*self.automaton;
        let (mut state, mut count) = (*start, 0);
        let mut is_held = false;
        for b in name {
            if is_separator(*b) {
                continue;
            }
            count += 1;
            state = dfa.next_state(Anchored::No, state, *b);
            if dfa.is_special(state) && dfa.is_match(state) {
                is_held |= Self::matched(dfa, state, words).any(|(_, rule)| rule == Rule::Holds);
            }
        }
        if !(dfa.is_special(state) && dfa.is_match(state)) {
            return is_held;
        }
        let mut is_sensitive = is_held;
        for (length, rule) in Self::matched(dfa, state, words) {
            match rule {
                Rule::Harmless => return false,
                Rule::Ends | Rule::Holds => is_sensitive = true,
                Rule::Is => is_sensitive |= length == count,
            }
        }
        is_sensitive
    }

    fn matched<'a>(
        dfa: &'a DFA,
        state: StateID,
        words: &'a [(usize, Rule)],
    ) -> impl Iterator<Item = (usize, Rule)> + 'a {
        let all = 0..dfa.match_len(state);
        let word = move |index| words.get(dfa.match_pattern(state, index).as_usize());
        all.filter_map(word).copied()
    }

    fn word(name: &str) -> Result<String, SensitiveConfigError> {
        let letters = name
            .chars()
            .filter(|c| !u8::try_from(*c).is_ok_and(is_separator));
        let word = letters.collect::<String>().to_ascii_lowercase();
        let problem = match word.chars().count() {
            0 => "has no letters",
            1..=Self::LONGEST => return Ok(word),
            _ => "is longer than 64 characters",
        };
        Err(SensitiveConfigError::new("name", name, problem))
    }

    #[expect(
        clippy::expect_used,
        reason = "so many words of such a length are within any bound of the automaton"
    )]
    fn of(words: Vec<(String, Rule)>) -> Self {
        let dfa = DFA::builder()
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(words.iter().map(|(word, _)| word))
            .expect("few and short words");
        let start = dfa.start_state(Anchored::No).expect("it is not anchored");
        let lengths = words.iter().map(|(word, rule)| (word.len(), *rule));
        let automaton = Automation {
            words: lengths.collect(),
            start,
            dfa,
        };
        Self {
            words,
            automaton: Arc::new(automaton),
        }
    }
}

#[inline]
fn is_separator(b: u8) -> bool {
    matches!(b, b'_' | b'-' | b'.' | b' ')
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words.iter().map(|(word, _)| word);
        f.debug_set().entries(words).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_whatever_their_case_and_separators() {
        let names = Names::new();
        for name in [
            "password",
            "PASSWORD",
            "pass_word",
            "Pass-Word",
            "userPassword",
            "password_confirmation",
            "passwd",
            "secret",
            "client_secret",
            "STRIPE_SECRET_KEY",
            "token",
            "access_token",
            "refresh-token",
            "idToken",
            "api_key",
            "x-api-key",
            "apiKey",
            "Authorization",
            "proxy-authorization",
            "cookie",
            "Set-Cookie",
            "private_key",
            "ssn",
            "card_number",
            "cvv",
            "AccountKey",
            "aws_secret_access_key",
            "credentials",
        ] {
            assert!(names.contain(name), "{name}");
        }
        for name in [
            "",
            "_",
            "name",
            "passenger",
            "secretary",
            "tokens",
            "max_tokens",
            "tokenizer",
            "pin_color",
            "spin",
            "span",
            "next_page_token",
            "progressToken",
            "author",
            "cookie_policy",
            "public_key",
            "key",
            "panel",
            "company",
        ] {
            assert!(!names.contain(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_says_nothing_or_too_much_is_refused() {
        for name in ["", "_-", &"a".repeat(65)] {
            assert!(Names::new().with(name).is_err(), "{name}");
        }
        let mut names = Names::none();
        for index in 0..Names::MOST {
            names.words.push((format!("name{index}"), Rule::Is));
        }
        let error = names.with("last").unwrap_err();
        assert!(error.to_string().contains("`last`"), "{error}");
    }
}

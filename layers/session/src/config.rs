use std::fmt;

use bartizan_core::Secret;
use base64::{
    Engine,
    alphabet::{Alphabet, STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{SessionConfigError, SessionKeys, SessionLayer};

/// A [`SessionLayer`] as it stands in a configuration file; unknown fields are refused.
///
/// ```
/// use bartizan_session::{SessionConfig, SessionLayer};
/// let config: SessionConfig = serde_json::from_str(
///     r#"{"keys": ["3q2-7wQ3l0yq1kqk0m6m3c4YV0d5J2Zs7r8tKQnB5mE"]}"#,
/// )?;
/// let layer = SessionLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SessionConfig {
    /// Secrets of at least 32 bytes: the first as for [`SessionKeys::new`], the others as for
    /// [`SessionKeys::accept`].
    pub keys: Vec<SessionSecret>,
    /// In place of `keys`: as [`SessionKeys::until_restart`].
    pub keys_until_restart: bool,
    /// As [`SessionLayer::danger_allow_anonymous`].
    pub danger_allow_anonymous: bool,
}

/// A secret in Base64, of either alphabet, with or without padding: `openssl rand -base64 32` makes one.
///
/// `Debug` shows nothing of it, and its memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SessionSecret(Zeroizing<String>);

impl SessionSecret {
    fn decode(&self) -> Option<Secret> {
        let padding = DecodePaddingMode::Indifferent;
        let rules = GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        let read = |alphabet: &Alphabet| {
            GeneralPurpose::new(alphabet, rules)
                .decode(self.0.as_bytes())
                .ok()
        };
        read(&STANDARD)
            .or_else(|| read(&URL_SAFE))
            .map(Secret::from)
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(..)")
    }
}

impl TryFrom<SessionConfig> for SessionLayer {
    type Error = SessionConfigError;

    fn try_from(config: SessionConfig) -> Result<Self, SessionConfigError> {
        let layer = Self::new(keys(&config)?);
        Ok(match config.danger_allow_anonymous {
            true => layer.danger_allow_anonymous(),
            false => layer,
        })
    }
}

fn keys(config: &SessionConfig) -> Result<SessionKeys, SessionConfigError> {
    let mut secrets = config.keys.iter().enumerate().map(|(index, text)| {
        let place = (index + 1).to_string();
        text.decode()
            .ok_or_else(|| SessionConfigError::new("key number", place, "is not Base64"))
    });
    match (secrets.next(), config.keys_until_restart) {
        (Some(first), false) => {
            let first = SessionKeys::new(first?)?;
            secrets.try_fold(first, |keys, secret| keys.accept(secret?))
        }
        (None, true) => SessionKeys::until_restart(),
        (Some(_), true) => {
            let problem = "contradicts `keys`: say one of them";
            Err(SessionConfigError::new(
                "setting",
                "keys_until_restart",
                problem,
            ))
        }
        (None, false) => {
            let problem = "is empty: name a key, or say `keys_until_restart`";
            Err(SessionConfigError::new("setting", "keys", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::Principal;

    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";

    fn read(json: &str) -> Result<SessionConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_key_wraps_and_all_of_them_open() {
        let ann = Principal::user("i", "ann").build("test");
        let keys = |text: &str| keys(&read(text).unwrap()).unwrap();
        let old = keys(&format!(r#"{{"keys": ["{ONE}"]}}"#));
        let new = keys(&format!(r#"{{"keys": ["{TWO}", "{ONE}"]}}"#));
        let wrapped = old.wrap(&ann, b"s").unwrap();
        assert_eq!(new.open(&ann, wrapped.as_bytes()).unwrap(), b"s");
        let wrapped = new.wrap(&ann, b"s").unwrap();
        assert_eq!(old.open(&ann, wrapped.as_bytes()), None);
    }

    #[test]
    fn the_anonymous_are_allowed_only_on_request() {
        for (setting, allowed) in [("false", false), ("true", true)] {
            let json =
                format!(r#"{{"keys_until_restart": true, "danger_allow_anonymous": {setting}}}"#);
            let layer = SessionLayer::try_from(read(&json).unwrap()).unwrap();
            let shown = format!("{layer:?}");
            assert!(shown.contains(&format!("anonymous: {allowed}")), "{shown}");
        }
    }

    #[test]
    fn a_contradiction_or_an_unknown_field_names_itself_and_no_key() {
        for (json, named) in [
            (r#"{}"#.to_owned(), "`keys`"),
            (r#"{"key": []}"#.to_owned(), "key"),
            (r#"{"keys": ["%"]}"#.to_owned(), "`1`"),
            (r#"{"keys": ["AAECAwQFBgc="]}"#.to_owned(), "`8`"),
            (format!(r#"{{"keys": ["{ONE}", "{ONE}"]}}"#), "`2`"),
            (
                format!(r#"{{"keys": ["{ONE}"], "keys_until_restart": true}}"#),
                "keys_until_restart",
            ),
        ] {
            let built = read(&json).and_then(|config| {
                SessionLayer::try_from(config).map_err(|error| error.to_string())
            });
            let error = built.unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
            assert!(!error.contains("AAEC"), "{error}");
        }
        let shown = format!("{:?}", read(&format!(r#"{{"keys": ["{ONE}"]}}"#)).unwrap());
        assert!(!shown.contains("AAEC"), "{shown}");
    }
}

//! Reads `tests/vectors/safe`: a verdict and a JSON string on each line.

use std::fmt::Display;

use serde::{Serialize, de::DeserializeOwned};

/// What a file says of its values, in its order.
pub(crate) fn vectors(file: &str) -> Vec<(String, String)> {
    let lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let vectors: Vec<_> = lines
        .map(|line| {
            let (verdict, value) = line.split_once(' ').unwrap();
            let value = serde_json::from_str(value).unwrap_or_else(|e| panic!("{line}: {e}"));
            (verdict.to_owned(), value)
        })
        .collect();
    assert!(vectors.len() > 20);
    vectors
}

/// Holds a type to what a file says. `refused` names the verdicts that it refuses.
///
/// Each value is also read from JSON; a refusal repeats nothing of it, and what is accepted is written as it
/// came, and fits the type's own schema.
pub(crate) fn hold<T>(file: &str, refused: &[&str])
where
    T: DeserializeOwned + Serialize + Schema + for<'t> TryFrom<&'t str, Error: Display>,
{
    for (verdict, value) in vectors(file) {
        let read = T::try_from(&value);
        let json = serde_json::to_string(&value).unwrap();
        let from_json = serde_json::from_str::<T>(&json);
        assert_eq!(read.is_ok(), from_json.is_ok(), "{json}");
        assert_eq!(
            read.is_err(),
            refused.contains(&&*verdict),
            "{verdict} {json}"
        );
        match from_json {
            Err(error) => holds_back(&error.to_string(), &value),
            Ok(accepted) => {
                assert_eq!(serde_json::to_string(&accepted).unwrap(), json);
                T::admits(&value);
            }
        }
    }
    for other in ["5", "-5", "true", "1.5", "null", "[\"a\"]", "{\"a\":1}"] {
        let error = serde_json::from_str::<T>(other).err().unwrap().to_string();
        assert!(!error.contains('5') && !error.contains("`true`"), "{error}");
    }
}

/// No dozen characters of the value stand in the message.
fn holds_back(message: &str, value: &str) {
    let letters: Vec<char> = value.chars().collect();
    for piece in letters.windows(12) {
        let piece: String = piece.iter().collect();
        assert!(!message.contains(&piece), "`{message}` repeats {value:?}");
    }
}

/// A type whose JSON schema admits whatever the type admits.
pub(crate) trait Schema {
    fn admits(value: &str);
}

#[cfg(feature = "schemars")]
impl<T: schemars::JsonSchema> Schema for T {
    fn admits(value: &str) {
        let schema = schemars::schema_for!(T);
        let number = |key| {
            schema
                .get(key)
                .and_then(|it| it.as_u64())
                .map(|it| it as usize)
        };
        let length = value.chars().count();
        assert_eq!(schema.get("type").unwrap(), "string");
        assert!(
            number("maxLength").is_none_or(|max| length <= max),
            "{value:?}"
        );
        assert!(
            number("minLength").is_none_or(|min| length >= min),
            "{value:?}"
        );
        if let Some(pattern) = schema.get("pattern") {
            let pattern = pattern.as_str().unwrap();
            let regex = regex::Regex::new(pattern).unwrap();
            assert!(regex.is_match(value), "{value:?} does not fit {pattern}");
        }
        if let Some(listed) = schema.get("enum") {
            assert!(
                listed.as_array().unwrap().contains(&value.into()),
                "{value:?}"
            );
        }
    }
}

#[cfg(not(feature = "schemars"))]
impl<T> Schema for T {
    fn admits(_: &str) {}
}

/// Whether the type's schema alone, as a client reads it, refuses the value.
#[cfg(feature = "schemars")]
pub(crate) fn schema_refuses<T: schemars::JsonSchema>(value: &str) -> bool {
    std::panic::catch_unwind(|| <T as Schema>::admits(value)).is_err()
}

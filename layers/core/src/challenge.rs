use std::{error::Error, fmt};

use http::HeaderValue;

/// One `WWW-Authenticate` challenge (RFC 9110 §11.6.1, RFC 6750 §3), checked as it is built.
///
/// Parameters are written in the order given, each a quoted-string and at most once. Values that
/// would need a backslash are refused rather than escaped, because clients do not unescape
/// (AC-9, TR-2).
///
/// ```
/// use bartizan_core::Challenge;
/// let challenge = Challenge::new("Bearer")
///     .param("realm", "mcp")?
///     .param("scope", "tools:call")?;
/// assert_eq!(challenge.header_value()?, r#"Bearer realm="mcp", scope="tools:call""#);
/// assert!(Challenge::new("Bearer").param("realm", "a\"b").is_err());
/// # Ok::<(), bartizan_core::ChallengeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Challenge {
    scheme: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Challenge {
    /// A challenge of a scheme, yet without parameters.
    pub fn new(scheme: &'static str) -> Self {
        Self {
            scheme,
            params: Vec::new(),
        }
    }

    /// Appends a parameter.
    ///
    /// # Errors
    ///
    /// If the name was given before, or the value holds anything outside `%x20-21 %x23-5B
    /// %x5D-7E` (RFC 6750 §3); for `scope`, if it is empty or not words with single spaces.
    pub fn param(mut self, name: &'static str, value: &str) -> Result<Self, ChallengeError> {
        let error = |problem| ChallengeError {
            param: name,
            value: value.to_owned(),
            problem,
        };
        if self
            .params
            .iter()
            .any(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            return Err(error("was given twice"));
        }
        let legal = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !value.bytes().all(legal) {
            return Err(error("has a character that no challenge may carry"));
        }
        if name == "scope" && value.split(' ').any(str::is_empty) {
            return Err(error("is not scopes with single spaces between them"));
        }
        self.params.push((name, value.to_owned()));
        Ok(self)
    }

    /// The field's value.
    ///
    /// # Errors
    ///
    /// If it has no parameter: a scheme alone is no challenge to RFC 9110's grammar for `Bearer`,
    /// and clients overlook it (TR-1).
    pub fn header_value(&self) -> Result<HeaderValue, ChallengeError> {
        let params: Vec<_> = self
            .params
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let error = |problem| ChallengeError {
            param: self.scheme,
            value: String::new(),
            problem,
        };
        if params.is_empty() {
            return Err(error("needs a parameter"));
        }
        HeaderValue::try_from(format!("{} {}", self.scheme, params.join(", ")))
            .map_err(|_| error("is not a scheme"))
    }
}

/// A challenge that could not be written as one header line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeError {
    param: &'static str,
    value: String,
    problem: &'static str,
}

impl fmt::Display for ChallengeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            param,
            value,
            problem,
        } = self;
        write!(f, "challenge parameter `{param}` {problem}: {value:?}")
    }
}

impl Error for ChallengeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_could_break_the_line_are_refused() {
        for hostile in ["a\r\nb", "a\"b", "a\\b", "é", "\u{7f}"] {
            assert!(Challenge::new("Bearer").param("realm", hostile).is_err());
        }
    }

    #[test]
    fn scopes_have_single_spaces() {
        for bad in ["", " a", "a  b", "a "] {
            assert!(Challenge::new("Bearer").param("scope", bad).is_err());
        }
    }

    #[test]
    fn a_bare_scheme_and_a_repeated_parameter_are_refused() {
        assert!(Challenge::new("Bearer").header_value().is_err());
        let once = Challenge::new("Bearer").param("realm", "a").unwrap();
        assert!(once.param("Realm", "b").is_err());
    }
}

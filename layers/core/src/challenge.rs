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

    /// A challenge for a request that needs scopes, after what the authentication layer
    /// offers in [`SecurityContext::challenges`](crate::SecurityContext::challenges) (SC-1, AC-3).
    ///
    /// Its scheme is `Bearer`, or `DPoP` if that is offered and `Bearer` is not. `realm`, `algs` and
    /// `resource_metadata` are taken from the first challenge of that scheme; whatever scope that one
    /// asks for gives way to `scope`. The error is `insufficient_scope` for a
    /// token that lacks them, and `None` for a request without one (AC-4).
    ///
    /// ```
    /// use bartizan_core::Challenge;
    /// use http::HeaderValue;
    /// let offered = [HeaderValue::from_static(r#"Bearer resource_metadata="https://h/m", scope="a""#)];
    /// assert_eq!(
    ///     Challenge::for_scope(&offered, Some("insufficient_scope"), "b c")?.header_value()?,
    ///     r#"Bearer error="insufficient_scope", scope="b c", resource_metadata="https://h/m""#,
    /// );
    /// # Ok::<(), bartizan_core::ChallengeError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the scope is not scopes with single spaces between them.
    pub fn for_scope(
        offered: &[HeaderValue],
        error: Option<&'static str>,
        scope: &str,
    ) -> Result<Self, ChallengeError> {
        let of_scheme = |scheme: &'static str| {
            let mut offered = offered.iter();
            let params = offered.find_map(|line| params_of(line, scheme))?;
            Some((scheme, params))
        };
        let known = of_scheme("Bearer").or_else(|| of_scheme("DPoP"));
        let mut challenge = Self::new(known.map_or("Bearer", |(scheme, _)| scheme));
        if let Some(error) = error {
            challenge = challenge.param("error", error)?;
        }
        challenge = challenge.param("scope", scope)?;
        for name in ["realm", "algs", "resource_metadata"] {
            if let Some(value) = known.and_then(|(_, params)| param_of(params, name)) {
                challenge = challenge.param(name, value)?;
            }
        }
        Ok(challenge)
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

fn params_of<'a>(line: &'a HeaderValue, wanted: &str) -> Option<&'a str> {
    let (scheme, params) = line.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then_some(params)
}

/// The value of a parameter, in the form that [`Challenge`] writes; anything else is not found.
fn param_of<'a>(mut params: &'a str, wanted: &str) -> Option<&'a str> {
    loop {
        let (name, rest) = params.split_once("=\"")?;
        let (value, rest) = rest.split_once('"')?;
        if name == wanted {
            return Some(value);
        }
        params = rest.strip_prefix(", ")?;
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
    fn sc_1_what_the_authentication_layer_offers_is_carried_over_and_its_scope_is_not() {
        let lines = |texts: &[&'static str]| -> Vec<_> {
            let lines = texts.iter().map(|text| HeaderValue::from_static(text));
            lines.collect()
        };
        for (offered, expected) in [
            (
                lines(&[
                    "ApiKey realm=\"k\"",
                    "bearer realm=\"a, b=c\", resource_metadata=\"https://h/m\", scope=\"x\"",
                ]),
                "Bearer scope=\"s t\", realm=\"a, b=c\", resource_metadata=\"https://h/m\"",
            ),
            (lines(&["Bearer realm=unquoted"]), "Bearer scope=\"s t\""),
            (
                lines(&["Bearer error=\"realm=\", x"]),
                "Bearer scope=\"s t\"",
            ),
            (lines(&["Bearer"]), "Bearer scope=\"s t\""),
            (
                lines(&["DPoP algs=\"ES256\"", "Bearer realm=\"b\""]),
                "Bearer scope=\"s t\", realm=\"b\"",
            ),
            (
                lines(&[
                    "ApiKey realm=\"k\"",
                    "DPoP algs=\"ES256\", resource_metadata=\"m\"",
                ]),
                "DPoP scope=\"s t\", algs=\"ES256\", resource_metadata=\"m\"",
            ),
            (lines(&[]), "Bearer scope=\"s t\""),
        ] {
            let challenge = Challenge::for_scope(&offered, None, "s t").unwrap();
            assert_eq!(challenge.header_value().unwrap(), expected);
        }
        assert!(Challenge::for_scope(&[], None, "").is_err());
    }

    #[test]
    fn a_bare_scheme_and_a_repeated_parameter_are_refused() {
        assert!(Challenge::new("Bearer").header_value().is_err());
        let once = Challenge::new("Bearer").param("realm", "a").unwrap();
        assert!(once.param("Realm", "b").is_err());
    }
}

use bartizan_core::{Challenge, ChallengeError};
use http::HeaderValue;

use crate::TokenConfigError;

/// The `WWW-Authenticate` lines, written once.
#[derive(Debug)]
pub struct Challenges {
    /// Without error: the request had no credential (AC-4).
    pub missing: [HeaderValue; 1],
    /// One line for every fault of a token: which it was is for the audit (AC-5, AL-3).
    pub invalid: HeaderValue,
    /// For a credential that is not one (AC-6).
    pub malformed: HeaderValue,
}

impl Challenges {
    /// Writes the lines.
    ///
    /// # Errors
    ///
    /// If something in them does not fit a header field.
    pub fn new(
        realm: Option<&str>,
        scopes: &[String],
        metadata_url: &str,
    ) -> Result<Self, TokenConfigError> {
        let scope = (!scopes.is_empty()).then(|| scopes.join(" "));
        let line = |error: Option<(&str, &str)>| {
            let mut challenge = Challenge::new("Bearer");
            if let Some(realm) = realm {
                challenge = challenge.param("realm", realm)?;
            }
            if let Some((code, description)) = error {
                challenge = challenge
                    .param("error", code)?
                    .param("error_description", description)?;
            }
            if let Some(scope) = &scope {
                challenge = challenge.param("scope", scope)?;
            }
            challenge
                .param("resource_metadata", metadata_url)?
                .header_value()
        };
        let lines = || -> Result<Self, ChallengeError> {
            Ok(Self {
                missing: [line(None)?],
                invalid: line(Some(("invalid_token", "the access token is not valid")))?,
                malformed: line(Some(("invalid_request", "the credentials are malformed")))?,
            })
        };
        lines().map_err(|error| {
            TokenConfigError::new(
                "challenge",
                error.to_string(),
                "cannot be sent: see realm, scopes, resource",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ac_1_to_4_the_first_challenge_names_metadata_and_scope_and_no_error() {
        let scopes = ["a".to_owned(), "b".to_owned()];
        let lines = Challenges::new(Some("mcp"), &scopes, "https://h.example/m").unwrap();
        let [missing] = lines.missing;
        assert_eq!(
            missing,
            r#"Bearer realm="mcp", scope="a b", resource_metadata="https://h.example/m""#
        );
    }

    #[test]
    fn ac_9_what_would_break_the_line_does_not_build() {
        for realm in ["a\"b", "a\\b", "a\r\nb", "é"] {
            assert!(Challenges::new(Some(realm), &[], "https://h.example/m").is_err());
        }
    }
}

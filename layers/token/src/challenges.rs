use bartizan_core::{Challenge, ChallengeError};
use http::HeaderValue;

use crate::TokenConfigError;

/// The `WWW-Authenticate` lines of bearer tokens, written once.
#[derive(Debug)]
pub struct Challenges {
    /// Without error: the request had no credential (AC-4).
    pub missing: HeaderValue,
    /// One line for every fault of a token: which it was is for the audit (AC-5, AL-3).
    pub invalid: HeaderValue,
    /// For a credential that is not one (AC-6).
    pub malformed: HeaderValue,
}

/// What challenges of any scheme say.
#[derive(Debug, Clone, Copy)]
pub struct ChallengeSettings<'a> {
    /// The `realm` (AC-13).
    pub realm: Option<&'a str>,
    /// What a client should ask for at first (AC-3).
    pub scopes: &'a [String],
    /// Where the resource's metadata is (AC-2).
    pub metadata_url: &'a str,
}

/// An error's code and its description.
pub type ChallengeFault = (&'static str, &'static str);

/// For a token that is not valid, whatever is wrong with it.
pub const INVALID_TOKEN: ChallengeFault = ("invalid_token", "the access token is not valid");

impl Challenges {
    /// Writes the lines.
    ///
    /// # Errors
    ///
    /// If something in them does not fit a header field.
    pub fn new(settings: ChallengeSettings<'_>) -> Result<Self, TokenConfigError> {
        let malformed = ("invalid_request", "the credentials are malformed");
        Ok(Self {
            missing: settings.line("Bearer", None, None)?,
            invalid: settings.line("Bearer", Some(INVALID_TOKEN), None)?,
            malformed: settings.line("Bearer", Some(malformed), None)?,
        })
    }
}

impl ChallengeSettings<'_> {
    /// One line, with the algorithms that the scheme's proofs may be signed by.
    ///
    /// # Errors
    ///
    /// If something in it does not fit a header field.
    pub fn line(
        &self,
        scheme: &'static str,
        fault: Option<ChallengeFault>,
        algs: Option<&str>,
    ) -> Result<HeaderValue, TokenConfigError> {
        self.write(scheme, fault, algs).map_err(|error| {
            TokenConfigError::new(
                "challenge",
                error.to_string(),
                "cannot be sent: see realm, scopes, resource",
            )
        })
    }

    fn write(
        &self,
        scheme: &'static str,
        fault: Option<ChallengeFault>,
        algs: Option<&str>,
    ) -> Result<HeaderValue, ChallengeError> {
        let mut challenge = Challenge::new(scheme);
        if let Some(realm) = self.realm {
            challenge = challenge.param("realm", realm)?;
        }
        if let Some((code, description)) = fault {
            challenge = challenge
                .param("error", code)?
                .param("error_description", description)?;
        }
        if !self.scopes.is_empty() {
            challenge = challenge.param("scope", &self.scopes.join(" "))?;
        }
        if let Some(algs) = algs {
            challenge = challenge.param("algs", algs)?;
        }
        challenge
            .param("resource_metadata", self.metadata_url)?
            .header_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings<'a>(realm: &'a str, scopes: &'a [String]) -> ChallengeSettings<'a> {
        ChallengeSettings {
            realm: Some(realm),
            scopes,
            metadata_url: "https://h.example/m",
        }
    }

    #[test]
    fn ac_1_to_4_the_first_challenge_names_metadata_and_scope_and_no_error() {
        let scopes = ["a".to_owned(), "b".to_owned()];
        let lines = Challenges::new(settings("mcp", &scopes)).unwrap();
        assert_eq!(
            lines.missing,
            r#"Bearer realm="mcp", scope="a b", resource_metadata="https://h.example/m""#
        );
    }

    #[test]
    fn dp_3_a_dpop_challenge_names_its_algorithms() {
        let line = settings("mcp", &[]).line("DPoP", Some(INVALID_TOKEN), Some("ES256 EdDSA"));
        assert_eq!(
            line.unwrap(),
            r#"DPoP realm="mcp", error="invalid_token", error_description="the access token is not valid", algs="ES256 EdDSA", resource_metadata="https://h.example/m""#
        );
    }

    #[test]
    fn ac_9_what_would_break_the_line_does_not_build() {
        for realm in ["a\"b", "a\\b", "a\r\nb", "é"] {
            assert!(Challenges::new(settings(realm, &[])).is_err());
        }
    }
}

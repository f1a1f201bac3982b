use std::time::Duration;

use bartizan_token::MetadataSettings;

use crate::{Algorithm, DpopConfig, IssuerConfig, JwtConfigError, JwtVerifier, JwtVerifierBuilder};

/// What [`JwtVerifier`] is built from, as plain data: for a configuration file.
///
/// `audience` and at least one issuer are required.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct JwtConfig {
    /// Whose tokens are accepted. Which of them judges a token, its `iss` claim says (TV-4).
    pub issuers: Vec<IssuerConfig>,
    /// Whom tokens must be meant for (TV-2): usually the URL of the MCP endpoint. URLs compare
    /// in canonical form (TV-3), other identifiers exactly.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "one_or_many"))]
    pub audience: Vec<String>,
    /// The resource identifier, where it is not the first audience that is a URL (MD-3).
    pub resource: Option<String>,
    /// How far clocks may differ; 60 by default, at most 300 (TV-6).
    pub leeway_seconds: u64,
    /// The longest that a token may be good, from its `iat`, or from now if it has none, to its `exp`;
    /// unlimited by default, at least 60.
    pub max_token_lifetime_seconds: Option<u64>,
    /// The longest token that is read; 16384 by default, 512 to 65536 (TV-11).
    pub max_token_bytes: usize,
    /// How many verified tokens are remembered; 10000 by default, at most 1000000; 0 for none. A
    /// token of more than 2 KiB counts once for each 2 KiB that it begins.
    pub token_cache_capacity: usize,
    /// How long a token is remembered before it is verified anew; 300 by default, 1 to 3600, and
    /// never longer than it is valid.
    pub token_cache_age_seconds: u64,
    /// How long fetched keys are fresh; 3600 by default, 60 to 86400.
    pub jwks_cache_ttl_seconds: u64,
    /// How long beyond that they serve while the issuer cannot be reached; 86400 by default, at
    /// most 604800.
    pub jwks_max_stale_seconds: u64,
    /// The least time between two fetches, whatever key ids tokens name; 30 by default, 1 to 3600,
    /// and no longer than keys are fresh.
    pub jwks_refetch_floor_seconds: u64,
    /// How long one fetch of keys, with discovery, may take; 10 by default, 1 to 60.
    pub fetch_timeout_seconds: u64,
    /// How proofs of possession are judged; absent: tokens that are bound to a key are refused.
    pub dpop: Option<DpopConfig>,
    /// Tells in the metadata that tokens bound to a client certificate are taken (MD-6). They always are
    /// where requests have their `ClientCertificate` (RFC 8705); whether they do is the affair of what
    /// terminates TLS. Off by default.
    pub tls_client_certificate_bound_access_tokens: bool,
    /// The `realm` of challenges (AC-13).
    pub realm: Option<String>,
    /// The scopes that challenges name: what a client should ask for at first (AC-3).
    pub challenge_scopes: Vec<String>,
    /// `scopes_supported` in the metadata (MD-5).
    pub scopes_supported: Vec<String>,
    /// `authorization_servers` in the metadata; the issuers by default (MD-1).
    pub authorization_servers: Vec<String>,
    /// `resource_name` in the metadata.
    pub resource_name: Option<String>,
    /// `resource_documentation` in the metadata.
    pub resource_documentation: Option<String>,
}

/// A public key in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
#[non_exhaustive]
pub struct PublicKeyConfig {
    /// The key id that tokens name; a key without one is for tokens of any key id.
    #[cfg_attr(feature = "serde", serde(default))]
    pub kid: Option<String>,
    /// The one algorithm that the key is for.
    pub algorithm: Algorithm,
    /// The PEM text, `-----BEGIN PUBLIC KEY-----` and so on.
    pub pem: String,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audience: Vec::new(),
            resource: None,
            leeway_seconds: 60,
            max_token_lifetime_seconds: None,
            max_token_bytes: 16 * 1024,
            token_cache_capacity: 10_000,
            token_cache_age_seconds: 300,
            jwks_cache_ttl_seconds: 3600,
            jwks_max_stale_seconds: 24 * 3600,
            jwks_refetch_floor_seconds: 30,
            fetch_timeout_seconds: 10,
            dpop: None,
            tls_client_certificate_bound_access_tokens: false,
            realm: None,
            challenge_scopes: Vec::new(),
            scopes_supported: Vec::new(),
            authorization_servers: Vec::new(),
            resource_name: None,
            resource_documentation: None,
        }
    }
}

impl JwtConfig {
    pub(crate) fn metadata(&self) -> MetadataSettings<'_> {
        let servers = match self.authorization_servers.as_slice() {
            [] => self.issuers.iter().map(|i| i.issuer.as_str()).collect(),
            servers => servers.iter().map(String::as_str).collect(),
        };
        let dangerous = self.issuers.iter().filter(|i| i.danger_allow_http_issuer);
        MetadataSettings {
            authorization_servers: servers,
            scopes_supported: &self.scopes_supported,
            resource_name: self.resource_name.as_deref(),
            resource_documentation: self.resource_documentation.as_deref(),
            dpop: self.dpop.as_ref().map(|dpop| {
                let algorithms = dpop.algorithms.iter().map(|a| a.name());
                (algorithms.collect(), dpop.required)
            }),
            certificate_bound: self.tls_client_certificate_bound_access_tokens,
            danger_allow_http: dangerous.map(|i| i.issuer.as_str()).collect(),
        }
    }

    /// Checks what can be checked setting by setting.
    pub(crate) fn check(&self) -> Result<(), JwtConfigError> {
        let in_range = JwtConfigError::in_range;
        in_range("leeway_seconds", self.leeway_seconds, 0..=300)?;
        if let Some(lifetime) = self.max_token_lifetime_seconds {
            in_range("max_token_lifetime_seconds", lifetime, 60..=u64::MAX)?;
        }
        in_range("max_token_bytes", self.max_token_bytes as u64, 512..=65_536)?;
        in_range(
            "token_cache_capacity",
            self.token_cache_capacity as u64,
            0..=1_000_000,
        )?;
        in_range(
            "token_cache_age_seconds",
            self.token_cache_age_seconds,
            1..=3600,
        )?;
        in_range(
            "jwks_cache_ttl_seconds",
            self.jwks_cache_ttl_seconds,
            60..=86_400,
        )?;
        in_range(
            "jwks_max_stale_seconds",
            self.jwks_max_stale_seconds,
            0..=604_800,
        )?;
        in_range(
            "jwks_refetch_floor_seconds",
            self.jwks_refetch_floor_seconds,
            1..=3600,
        )?;
        if self.jwks_refetch_floor_seconds > self.jwks_cache_ttl_seconds {
            return Err(JwtConfigError::of(
                "jwks_refetch_floor_seconds",
                "is longer than jwks_cache_ttl_seconds: keys could not be renewed in time",
            ));
        }
        in_range("fetch_timeout_seconds", self.fetch_timeout_seconds, 1..=60)?;
        for scope in self.challenge_scopes.iter().chain(&self.scopes_supported) {
            check_scope(scope)?;
        }
        Ok(())
    }

    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_secs(self.leeway_seconds)
    }

    pub(crate) fn fetch_timeout(&self) -> Duration {
        Duration::from_secs(self.fetch_timeout_seconds)
    }
}

/// A scope that may be published: RFC 6749 §3.3, and not one that stands for all others (MD-5).
fn check_scope(scope: &str) -> Result<(), JwtConfigError> {
    let error = |problem| Err(JwtConfigError::new("scope", scope, problem));
    let is_legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if scope.is_empty() || !scope.bytes().all(is_legal) {
        return error("is not one scope");
    }
    if scope.contains('*') {
        return error("is a wildcard");
    }
    if scope == "offline_access" {
        return error("is between client and authorization server");
    }
    Ok(())
}

impl TryFrom<JwtConfig> for JwtVerifier {
    type Error = JwtConfigError;

    fn try_from(config: JwtConfig) -> Result<Self, JwtConfigError> {
        JwtVerifierBuilder::from(config).build()
    }
}

#[cfg(feature = "serde")]
pub(crate) fn one_or_many<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Vec<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match serde::Deserialize::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn seed_a5_leeway_and_cache_ttl_are_settings_and_unknown_settings_are_errors() {
        let config: JwtConfig = serde_json::from_str(
            r#"{"issuers":[{"issuer":"https://a.example","profile":"generic_access_token",
                            "algorithms":["ES256"]}],
                "audience":"https://m.example/mcp",
                "leeway_seconds":5,"jwks_cache_ttl_seconds":600}"#,
        )
        .unwrap();
        assert_eq!(
            (config.leeway_seconds, config.jwks_cache_ttl_seconds),
            (5, 600)
        );
        assert_eq!(config.audience, ["https://m.example/mcp"]);
        for bad in [
            r#"{"issuer":"x"}"#,
            r#"{"issuers":[{"isuer":"x"}]}"#,
            r#"{"issuers":[{"algorithms":["HS512"]}]}"#,
            r#"{"audience":null}"#,
        ] {
            assert!(serde_json::from_str::<JwtConfig>(bad).is_err(), "{bad}");
        }
    }
}

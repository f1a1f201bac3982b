use std::time::Duration;

use bartizan_lookup::{Ages, Settings};

use crate::OAuthConfigError;

/// What an [`OpaqueVerifier`](crate::OpaqueVerifier) is built from besides its provider, as plain data:
/// for a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct OpaqueConfig {
    /// The resource identifier: the URL of the MCP endpoint (MD-3). Required, unless the provider's
    /// audience is a URL.
    pub resource: Option<String>,
    /// The longest token that is asked about; 4096 by default, 64 to 65536.
    pub max_token_bytes: usize,
    /// How many good tokens are remembered, and an eighth as many bad ones; 10000 by default, 1 to 1000000. One whose answer has more than
    /// 2 KiB counts once for each 2 KiB that it begins.
    pub token_cache_capacity: usize,
    /// How long a good token is remembered, during which its revocation at the provider goes
    /// unnoticed; 60 by default, at most 3600, and never longer than it is valid; 0 for not at all.
    pub token_cache_age_seconds: u64,
    /// How much longer a good token is believed while its provider can't be asked: it is down, or wants to
    /// be left alone, or there is no room for a question; 300 by default, at most 86400, and never longer
    /// than it is valid; 0 for not at all. Not where the provider answers and does not tell of this token,
    /// as by 400 or 404, or refuses a question that is asked with the token itself; nor while it is asked
    /// about the token and there is no room to wait for that.
    pub stale_age_seconds: u64,
    /// How long a bad token is remembered, and one that the provider chokes on; 10 by default, at most 300; 0 for not at all.
    pub refused_cache_age_seconds: u64,
    /// How long all questions about one token may take; 5 by default, 1 to 60.
    pub timeout_seconds: u64,
    /// How many tokens are asked about at a time; 64 by default, 1 to 10000. Requests with others are
    /// answered 503. A quarter is for tokens that were good before.
    pub max_lookups: usize,
    /// How many requests wait for such questions altogether; 1024 by default, 1 to 100000. Others are
    /// answered 503. A quarter is for tokens that were good before.
    pub max_waiting: usize,
    /// How many tokens are asked about in a minute that were never good, as far as is remembered; 1 to
    /// 1000000. Ten minutes' worth may come at once. By default 30 for GitHub, which permits an app 5000
    /// questions an hour, and 600 for others. Beyond it such tokens are answered 503, so that made-up
    /// ones don't spend what the provider permits. A client address, or the first 64 bits of an IPv6
    /// address, holds an eighth of what is left, and gets an eighth of the rate; all together do where no
    /// layer outside stamps addresses.
    pub new_tokens_per_minute: Option<u32>,
    /// After how many failures in a row the provider is left alone; 5 by default, 1 to 1000. Failures over
    /// tokens that were never good count apart, and keep only such tokens from it.
    pub breaker_failures: u32,
    /// For how long; 10 by default, 1 to 300. A provider that names a longer time gets it, up to 300.
    pub breaker_pause_seconds: u64,
    /// Leaves tokens whose form is not this provider's to another authenticator beside this one. Off by
    /// default.
    pub leave_others: bool,
    /// The `realm` of challenges (AC-13).
    pub realm: Option<String>,
    /// The scopes that challenges name: what a client should ask for at first (AC-3).
    pub challenge_scopes: Vec<String>,
    /// `scopes_supported` in the metadata (MD-5).
    pub scopes_supported: Vec<String>,
    /// `authorization_servers` in the metadata; the provider by default (MD-1).
    pub authorization_servers: Vec<String>,
    /// `resource_name` in the metadata.
    pub resource_name: Option<String>,
    /// `resource_documentation` in the metadata.
    pub resource_documentation: Option<String>,
    /// Permits the provider at addresses of private networks (SS-2). Off by default. One on this machine,
    /// which its URL then says, needs no permission.
    pub allow_private_issuer: bool,
}

impl Default for OpaqueConfig {
    fn default() -> Self {
        Self {
            resource: None,
            max_token_bytes: 4096,
            token_cache_capacity: 10_000,
            token_cache_age_seconds: 60,
            stale_age_seconds: 300,
            refused_cache_age_seconds: 10,
            timeout_seconds: 5,
            max_lookups: 64,
            max_waiting: 1024,
            new_tokens_per_minute: None,
            breaker_failures: 5,
            breaker_pause_seconds: 10,
            leave_others: false,
            realm: None,
            challenge_scopes: Vec::new(),
            scopes_supported: Vec::new(),
            authorization_servers: Vec::new(),
            resource_name: None,
            resource_documentation: None,
            allow_private_issuer: false,
        }
    }
}

impl OpaqueConfig {
    pub(crate) fn check(&self) -> Result<(), OAuthConfigError> {
        let check = OAuthConfigError::in_range;
        check("max_token_bytes", self.max_token_bytes as u64, 64..=65_536)?;
        let capacity = self.token_cache_capacity as u64;
        check("token_cache_capacity", capacity, 1..=1_000_000)?;
        let good = self.token_cache_age_seconds;
        check("token_cache_age_seconds", good, 0..=3600)?;
        check("stale_age_seconds", self.stale_age_seconds, 0..=86_400)?;
        let bad = self.refused_cache_age_seconds;
        check("refused_cache_age_seconds", bad, 0..=300)?;
        check("timeout_seconds", self.timeout_seconds, 1..=60)?;
        check("max_lookups", self.max_lookups as u64, 1..=10_000)?;
        check("max_waiting", self.max_waiting as u64, 1..=100_000)?;
        let new = u64::from(self.new_tokens_per_minute.unwrap_or(1));
        check("new_tokens_per_minute", new, 1..=1_000_000)?;
        let failures = u64::from(self.breaker_failures);
        check("breaker_failures", failures, 1..=1000)?;
        check("breaker_pause_seconds", self.breaker_pause_seconds, 1..=300)
    }

    /// `new_per_minute` counts unless the configuration says otherwise.
    pub(crate) fn lookups(&self, new_per_minute: u32) -> Settings {
        Settings {
            layer: "oauth",
            capacity: self.token_cache_capacity,
            ages: Ages {
                good: Duration::from_secs(self.token_cache_age_seconds),
                stale: Duration::from_secs(self.stale_age_seconds),
                bad: Duration::from_secs(self.refused_cache_age_seconds),
            },
            timeout: Duration::from_secs(self.timeout_seconds),
            max_lookups: self.max_lookups,
            max_waiting: self.max_waiting,
            new_per_minute: self.new_tokens_per_minute.unwrap_or(new_per_minute),
            breaker_failures: self.breaker_failures,
            breaker_pause: Duration::from_secs(self.breaker_pause_seconds),
        }
    }
}

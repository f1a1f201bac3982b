use crate::{Algorithm, JwtConfigError};

/// How proofs of possession are judged (DPoP, RFC 9449), as plain data: for a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct DpopConfig {
    /// The algorithms that proofs may be signed by; [`Algorithm::DEFAULT`] by default.
    pub algorithms: Vec<Algorithm>,
    /// Refuses tokens that are bound neither to a key nor to a certificate. Off by default: such tokens
    /// are then a bearer's, and those that are bound need their proof.
    pub required: bool,
    /// How old a proof may be, and how far ahead of this clock; 300 seconds by default, 5 to 300 (DP-4).
    pub window_seconds: u64,
    /// Asks for a nonce of this server's in each proof, which ends what proofs made in advance are good
    /// for (§9). Off by default.
    pub nonces: bool,
    /// How many proofs are remembered, so that none is good twice; 1000000 by default, 1000 to
    /// 16777216. A key holds at most a sixteenth of the room that is left, beyond which its proofs are
    /// refused with 429; without room for anybody's, they are refused with 503.
    pub replay_capacity: usize,
    /// URLs that proofs may be for, besides the resource: as clients see them (DP-1). The path of the one
    /// that a proof names has to be the request's.
    pub urls: Vec<String>,
    /// What a proxy, or a router outside of this layer, takes off the front of the path: requests arrive
    /// without it. `/notes`, if `https://example.com/notes/mcp` arrives as `/mcp`. What a nested
    /// `axum::Router` takes off need not be said with the feature `axum`, unless something else is.
    pub stripped_prefix: Option<String>,
    /// Takes a proof whatever the request's path is, where a proxy rewrites paths in other ways: it is
    /// then good at each path behind this layer. Off by default.
    pub danger_any_path: bool,
}

impl Default for DpopConfig {
    fn default() -> Self {
        Self {
            algorithms: Algorithm::DEFAULT.to_vec(),
            required: false,
            window_seconds: 300,
            nonces: false,
            replay_capacity: 1_000_000,
            urls: Vec::new(),
            stripped_prefix: None,
            danger_any_path: false,
        }
    }
}

impl DpopConfig {
    /// Refuses tokens that are bound neither to a key nor to a certificate.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Asks for a nonce of this server's in each proof.
    #[must_use]
    pub fn nonces(mut self) -> Self {
        self.nonces = true;
        self
    }

    /// Adds a URL that proofs may be for.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Says what a proxy, or a router outside of this layer, takes off the front of the path.
    #[must_use]
    pub fn stripped_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stripped_prefix = Some(prefix.into());
        self
    }

    /// Takes a proof whatever the request's path is.
    #[must_use]
    pub fn danger_any_path(mut self) -> Self {
        self.danger_any_path = true;
        self
    }

    /// How old a proof may be, in seconds.
    #[must_use]
    pub fn window_seconds(mut self, seconds: u64) -> Self {
        self.window_seconds = seconds;
        self
    }

    pub(crate) fn check(&self) -> Result<(), JwtConfigError> {
        if self.algorithms.is_empty() {
            return Err(JwtConfigError::missing("dpop.algorithms"));
        }
        let hmac = Algorithm::HS256;
        if self.algorithms.contains(&hmac) {
            let problem = "is symmetric: whoever judges the proof could make it";
            return Err(JwtConfigError::new("dpop.algorithms", hmac.name(), problem));
        }
        if !(5..=300).contains(&self.window_seconds) {
            let window = self.window_seconds.to_string();
            let problem = "is not from 5 to 300";
            return Err(JwtConfigError::new("dpop.window_seconds", window, problem));
        }
        if !(1000..=1 << 24).contains(&self.replay_capacity) {
            let capacity = self.replay_capacity.to_string();
            let problem = "is not from 1000 to 16777216";
            return Err(JwtConfigError::new(
                "dpop.replay_capacity",
                capacity,
                problem,
            ));
        }
        Ok(())
    }
}

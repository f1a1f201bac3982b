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
    /// 16777216. Without room for more, proofs are refused with 503.
    pub replay_capacity: usize,
    /// URLs that proofs may be for, besides the resource: as clients see them, whatever a proxy makes of
    /// them (DP-1).
    pub urls: Vec<String>,
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

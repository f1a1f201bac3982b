use std::{
    fmt,
    sync::{Arc, RwLock},
};

use bartizan_core::{Clock, SystemClock};

use crate::{Algorithm, Jwks, SigningKey, Token};

/// An authorization server's way to make access tokens: its name, its keys, its clock.
///
/// Clones share keys, so that an [`Issuer`](crate::Issuer) and a test rotate them together.
#[derive(Clone)]
pub struct TokenMint {
    issuer: String,
    audience: String,
    clock: Arc<dyn Clock>,
    keys: Arc<RwLock<[SigningKey; 3]>>,
}

impl TokenMint {
    /// A mint with the process's shared keys.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            clock: Arc::new(SystemClock::new()),
            keys: Arc::new(RwLock::new(Algorithm::ALL.map(SigningKey::shared))),
        }
    }

    /// Reads the time from another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes tokens for another audience.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// A mint of the same names whose keys nobody trusts.
    #[must_use]
    pub fn impostor(&self) -> Self {
        let keys = Algorithm::ALL.map(SigningKey::generate);
        Self {
            keys: Arc::new(RwLock::new(keys)),
            ..self.clone()
        }
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audience of its tokens.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// A good token, signed ES256, whose builder adds the deviations.
    pub fn token(&self) -> Token {
        let now = i64::try_from(self.clock.wall().as_secs()).unwrap();
        Token::good(
            &self.issuer,
            &self.audience,
            now,
            &self.key(Algorithm::Es256),
        )
    }

    /// The current key of an algorithm.
    pub fn key(&self, algorithm: Algorithm) -> SigningKey {
        self.keys.read().unwrap()[algorithm as usize].clone()
    }

    /// Replaces the keys by new ones; what was signed before no longer verifies under
    /// [`jwks`](Self::jwks).
    pub fn rotate(&self) {
        *self.keys.write().unwrap() = Algorithm::ALL.map(SigningKey::generate);
    }

    /// The current public keys.
    pub fn jwks(&self) -> Jwks {
        Jwks::of(&*self.keys.read().unwrap())
    }
}

impl fmt::Debug for TokenMint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMint")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

use bartizan_kit::{Algorithm, Token, TokenMint};
use http::HeaderValue;

pub const ISSUER: &str = "https://auth.example.com";
pub const AUDIENCE: &str = "https://mcp.example.com/mcp";

/// The role of every token. Policies of both stacks know it.
pub const ROLE: &str = "editor";

/// An issuer with three keys: RS256, ES256 and `EdDSA`.
pub struct Tokens {
    mint: TokenMint,
}

impl Tokens {
    pub fn new() -> Self {
        Self {
            mint: TokenMint::new(ISSUER, AUDIENCE),
        }
    }

    /// The public keys.
    pub fn jwks(&self) -> String {
        self.mint.jwks().to_string()
    }

    /// A good token with what servers usually find in one: an hour long, with scopes and a role.
    pub fn good(&self, algorithm: Algorithm) -> Token {
        self.mint
            .token()
            .signed_by(&self.mint.key(algorithm))
            .sub("6f1c2a34-6b1e-4e0b-9d1c-0a8f5e7b2c11")
            .scope("mcp:tools notes:read notes:write")
            .claim("roles", vec![ROLE])
            .claim("tenant", "acme")
            .valid_in(-1)
            .expires_in(3600)
    }

    /// So many good tokens, no two alike.
    pub fn pool(&self, algorithm: Algorithm, count: usize) -> Vec<HeaderValue> {
        (0..count)
            .map(|_| bearer(&self.good(algorithm).encode()))
            .collect()
    }

    pub fn expired(&self) -> HeaderValue {
        let token = self.good(Algorithm::Rs256).expires_in(-3600);
        bearer(&token.encode())
    }

    pub fn for_somebody_else(&self) -> HeaderValue {
        let token = self.good(Algorithm::Rs256).aud("https://other.example.com");
        bearer(&token.encode())
    }

    pub fn badly_signed(&self, algorithm: Algorithm) -> HeaderValue {
        bearer(&self.good(algorithm).encode_spoiled())
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}

/// An `Authorization` value in memory of its own, as a server reads it from the wire.
pub fn bearer(token: &str) -> HeaderValue {
    let text = bytes::Bytes::from(format!("Bearer {token}").into_bytes());
    HeaderValue::from_maybe_shared(text).unwrap()
}

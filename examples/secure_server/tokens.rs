//! Tokens of the embedded issuer.

use bartizan_kit::{Issuer, Token};
use serde_json::json;

/// A token for each part in the demonstration; they live for an hour.
pub(crate) struct Tokens {
    pub(crate) admin: String,
    pub(crate) developer: String,
    pub(crate) viewer: String,
    pub(crate) expired: String,
    pub(crate) wrong_audience: String,
}

impl Tokens {
    pub(crate) fn mint(issuer: &Issuer, audience: &str) -> Self {
        let token = |subject: &str, role: &str| -> Token {
            let token = issuer.mint().token().sub(subject).aud(audience);
            token.claim("roles", json!([role])).expires_in(3600)
        };
        Self {
            admin: token("ada", "admin").encode(),
            developer: token("dan", "developer").encode(),
            viewer: token("vera", "viewer").encode(),
            expired: token("ada", "admin").expires_in(-3600).encode(),
            wrong_audience: token("ada", "admin")
                .aud("https://other.example.com/mcp")
                .encode(),
        }
    }
}

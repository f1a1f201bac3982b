use std::fmt;

use base64::{Engine as _, prelude::*};
use serde_json::{Value, json};

use crate::SigningKey;

/// A JSON Web Key Set, good until a knob spoils it. `to_string` renders it.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Jwks {
    keys: Vec<Value>,
}

impl Jwks {
    /// The public halves of these keys.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        Self {
            keys: keys.into_iter().map(SigningKey::jwk).collect(),
        }
    }

    /// Appends anything at all.
    pub fn with(mut self, jwk: Value) -> Self {
        self.keys.push(jwk);
        self
    }

    /// Puts anything at all in front.
    pub fn with_first(mut self, jwk: Value) -> Self {
        self.keys.insert(0, jwk);
        self
    }

    /// Puts broken keys in front of the good ones: one of an unknown type, one whose modulus is no
    /// base64, one off the curve, one empty, one that is no object.
    pub fn with_junk(self) -> Self {
        self.with_first(json!({"kty": "FUTURE", "kid": "junk-1"}))
            .with_first(json!({"kty": "RSA", "kid": "junk-2", "n": "!!", "e": "AQAB"}))
            .with_first(
                json!({"kty": "EC", "crv": "P-256", "kid": "junk-3", "x": "AAAA", "y": "AAAA"}),
            )
            .with_first(json!({}))
            .with_first(json!(7))
    }

    /// Appends a symmetric key, which has no business in a public set (TV-5).
    pub fn with_oct(self, kid: &str, secret: &[u8]) -> Self {
        let k = BASE64_URL_SAFE_NO_PAD.encode(secret);
        self.with(json!({"kty": "oct", "kid": kid, "alg": "HS256", "use": "sig", "k": k}))
    }

    /// Sets a member of every key: `set("use", "enc")`, `set("alg", "RS512")`.
    pub fn set(mut self, member: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for key in self.keys.iter_mut().filter_map(Value::as_object_mut) {
            key.insert(member.to_owned(), value.clone());
        }
        self
    }

    /// Sets a member of the keys with this id.
    pub fn set_for(mut self, kid: &str, member: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        for key in self.keys.iter_mut().filter(|key| key["kid"] == kid) {
            key[member] = value.clone();
        }
        self
    }

    /// Takes a member from every key: `without("kid")`, `without("alg")`.
    pub fn without(mut self, member: &str) -> Self {
        for key in self.keys.iter_mut().filter_map(Value::as_object_mut) {
            key.remove(member);
        }
        self
    }

    /// Gives every key one id.
    pub fn with_one_kid(self, kid: &str) -> Self {
        self.set("kid", kid)
    }

    /// Keeps only the keys for which `keep` says so.
    pub fn only(mut self, keep: impl Fn(&Value) -> bool) -> Self {
        self.keys.retain(keep);
        self
    }

    /// The keys as they stand.
    pub fn keys(&self) -> &[Value] {
        &self.keys
    }
}

impl fmt::Display for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json!({"keys": self.keys}).fmt(f)
    }
}

use std::time::Duration;

use bartizan_token::{Fault, numeric_date};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde_json::{Map, Value};

use super::{Dpop, Presented, Unproven, replay::Use, sha256, target::At};
use crate::{
    Algorithm, keys,
    token::{Compact, is_encoded_otherwise},
};

/// The longest proof that is read.
const MAX_PROOF_BYTES: usize = 8 * 1024;

/// The longest id of a proof, and the longest nonce.
const MAX_TEXT_BYTES: usize = 256;

impl Dpop {
    /// Judges a proof for this token, which is bound to `key` (RFC 9449 §4.3).
    pub(super) fn judge(
        &self,
        proof: &str,
        token: &str,
        request: &Presented,
        key: [u8; 32],
    ) -> Result<Option<HeaderValue>, Unproven> {
        let claims = self.verified(proof, key).map_err(Unproven::Proof)?;
        let now = self.clock.wall();
        let made = self
            .judge_claims(&claims, token, request, now)
            .map_err(Unproven::Proof)?;
        let next = self.judge_nonce(&claims, now)?;
        let id = text(&claims, "jti").map_err(Unproven::Proof)?;
        let oldest = now.saturating_sub(self.window);
        match self.replays.spend(key, id, made, oldest) {
            Use::First => Ok(next),
            Use::Again => Err(Unproven::Proof("the proof was used before")),
            Use::TooOld => Err(Unproven::Proof("the proof is too old")),
            Use::TooMany => Err(Unproven::TooMany),
            Use::Unknown => Err(Unproven::Full),
        }
    }

    /// The claims of a proof that the bound key signed.
    fn verified(&self, proof: &str, bound_to: [u8; 32]) -> Result<Map<String, Value>, Fault> {
        let proof = Compact::split(proof, MAX_PROOF_BYTES)?;
        let header = proof.header()?;
        if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
            return Err("the proof's type is not dpop+jwt");
        }
        if header.contains_key("crit") {
            return Err("the proof has critical extensions");
        }
        if is_encoded_otherwise(&header) {
            return Err("the proof asks for another encoding");
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(Algorithm::from_name);
        let algorithm = algorithm.filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or("the proof's algorithm is not allowed")?;
        let jwk = header.get("jwk").ok_or("the proof has no key")?;
        let key = keys::read_jwk(jwk, &[algorithm])?;
        if thumbprint(jwk) != Some(bound_to) {
            return Err("the proof is signed by another key than the token's");
        }
        if !key.prepared.verifies(proof.message(), &proof.signature()?) {
            return Err("the proof's signature is not valid");
        }
        proof.claims()
    }

    /// When the proof was made, if it is for this request.
    fn judge_claims(
        &self,
        claims: &Map<String, Value>,
        token: &str,
        request: &Presented,
        now: Duration,
    ) -> Result<Duration, Fault> {
        if claims.get("htm").and_then(Value::as_str) != Some(request.method.as_str()) {
            return Err("the proof is for another method");
        }
        let htu = claims.get("htu").and_then(Value::as_str);
        match htu.and_then(|htu| self.targets.find(htu, request.uri.path())) {
            Some(At::Here) => {}
            Some(At::AnotherPath) => {
                return Err("the proof is for another path than the request's");
            }
            None => return Err("the proof is for another URL"),
        }
        let made = claims.get("iat").ok_or("the proof has no time")?;
        let made = numeric_date(made)?;
        if made > now.saturating_add(self.window) || made < now.saturating_sub(self.window) {
            return Err("the proof is too old, or of the future");
        }
        let expected = URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()));
        if claims.get("ath").and_then(Value::as_str) != Some(&*expected) {
            return Err("the proof is for another token");
        }
        Ok(made)
    }

    /// The nonce for the caller's next proof, if it should be another.
    fn judge_nonce(
        &self,
        claims: &Map<String, Value>,
        now: Duration,
    ) -> Result<Option<HeaderValue>, Unproven> {
        let Some(nonces) = &self.nonces else {
            return Ok(None);
        };
        if !claims.contains_key("nonce") {
            return Err(Unproven::Nonce("the proof has no nonce"));
        }
        let nonce = text(claims, "nonce").map_err(Unproven::Proof)?;
        match nonces.judge(nonce, now) {
            Some(true) => Ok(nonces.issue(now)),
            Some(false) => Ok(None),
            None => Err(Unproven::Nonce("the proof's nonce is not good any more")),
        }
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<&'a str, Fault> {
    match claims.get(name) {
        Some(Value::String(text)) if (1..=MAX_TEXT_BYTES).contains(&text.len()) => Ok(text),
        _ => Err("the proof's id or nonce is no text of reasonable length"),
    }
}

/// The thumbprint of a key that was read (RFC 7638 §3.2).
pub(super) fn thumbprint(jwk: &Value) -> Option<[u8; 32]> {
    let text = |name: &str| jwk.get(name)?.as_str();
    let members: &[&str] = match text("kty")? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut canonical = String::from("{");
    for (at, name) in members.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let value = Value::from(text(name)?);
        canonical.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    canonical.push('}');
    Some(sha256(canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_thumbprint_is_rfc_7638s_and_other_members_do_not_matter() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(URL_SAFE_NO_PAD.encode(thumbprint(&jwk).unwrap()), expected);
        assert_eq!(thumbprint(&json!({"kty": "oct", "k": "AA"})), None);
        assert_eq!(
            thumbprint(&json!({"kty": "EC", "crv": "P-256", "x": "AA"})),
            None
        );
    }
}

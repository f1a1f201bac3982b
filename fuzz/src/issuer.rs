use std::{collections::HashSet, sync::LazyLock, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bartizan_core::FakeClock;
use bartizan_jwt::{JwtVerifier, JwtVerifierBuilder};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};
use url::Url;

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const AUDIENCE: &str = "https://mcp.example.com/mcp";
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const LEEWAY: u64 = 60;

/// The issuer's key, `k`.
pub(crate) static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));

/// A verifier of the issuer's tokens.
pub(crate) fn verifier() -> JwtVerifierBuilder {
    let mut key = jwk(&KEY);
    key["kid"] = json!("k");
    key["alg"] = json!("EdDSA");
    JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(json!({ "keys": [key] }).to_string())
        .leeway(Duration::from_secs(LEEWAY))
        .clock(FakeClock::at(Duration::from_secs(NOW)))
}

/// The public half, of its required members alone, which are sorted.
pub(crate) fn jwk(key: &Ed25519KeyPair) -> Value {
    json!({ "crv": "Ed25519", "kty": "OKP", "x": encode(key.public_key().as_ref()) })
}

pub(crate) fn signed(key: &Ed25519KeyPair, header: &[u8], claims: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(key.sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether another library takes the token, set as strictly as it can be: `jsonwebtoken`, with one
/// algorithm, and issuer, audience, subject and expiry required. Of time it knows the system's alone,
/// so that is the oracles' own affair, and so is that an audience has several spellings.
pub(crate) fn reference_takes(token: &str) -> bool {
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    rules.set_issuer(&[ISSUER]);
    rules.aud = Some(spellings_of_us(token));
    (rules.validate_exp, rules.validate_nbf) = (false, false);
    let x = encode(KEY.public_key().as_ref());
    let key = DecodingKey::from_ed_components(&x).expect("a key");
    jsonwebtoken::decode::<Map<String, Value>>(token, &key, &rules).is_ok()
}

/// The names of this server that the token's audience has.
fn spellings_of_us(token: &str) -> HashSet<String> {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims = claims.and_then(|claims| serde_json::from_slice::<Value>(&claims).ok());
    let aud = claims.map_or(Value::Null, |claims| claims["aud"].clone());
    let names = match aud {
        Value::Array(names) => names,
        name => vec![name],
    };
    let names = names.into_iter().filter(names_us);
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// Whether it is this server's URL, in whatever spelling, with or without a slash behind.
pub(crate) fn names_us(name: &Value) -> bool {
    let ours = Url::parse(AUDIENCE).expect("a URL");
    let url = name.as_str().and_then(|text| Url::parse(text).ok());
    url.is_some_and(|mut url| {
        let path = url.path();
        let path = path.strip_suffix('/').unwrap_or(path).to_owned();
        url.set_path(&path);
        url == ours
    })
}

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use bartizan_core::FakeClock;
use bartizan_jwt::JwtVerifier;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_executor::block_on;
use serde_json::{Value, json};

use crate::json::Size;

const NOW: u64 = 1_800_000_000;

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));

/// Good, and signed by the key with the id `k`.
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let claims = json!({
        "iss": "https://auth.example.com", "aud": "https://mcp.example.com/mcp", "sub": "ann",
        "exp": NOW + 300,
    });
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let header = encode(br#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#);
    let message = format!("{header}.{}", encode(claims.to_string().as_bytes()));
    let signature = encode(KEY.sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
});

/// Arbitrary text as a JWK set.
///
/// A token passes only where another parser finds its key in an unambiguous set: public, of its type,
/// and for signatures. A set that a verifier is built with holds no private key.
pub fn jwks(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let verifier = JwtVerifier::builder()
        .issuer("https://auth.example.com")
        .audience("https://mcp.example.com/mcp")
        .jwk_set(text)
        .clock(FakeClock::at(Duration::from_secs(NOW)))
        .build();
    let Ok(verifier) = verifier else {
        return;
    };
    let set: Value = serde_json::from_slice(data).expect("no JSON, and it built");
    let size = Size::of(data).expect("JSON");
    assert!(!size.repeats.get(), "a member is repeated, and it built");
    let keys = set["keys"]
        .as_array()
        .expect("no list of keys, and it built");
    let private = |key: &Value| key["d"].is_string() || key["k"].is_string();
    assert!(!keys.iter().any(private), "a private key, and it built");
    let is_accepted = block_on(verifier.verify(&TOKEN)).is_ok();
    let x = URL_SAFE_NO_PAD.encode(KEY.public_key());
    let plain = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "alg": "EdDSA", "x": x });
    assert!(is_accepted || *keys != [plain], "a plain key was not used");
    if is_accepted {
        let is_ours = |key: &&Value| {
            key["kty"] == "OKP"
                && key["crv"] == "Ed25519"
                && key["x"] == *x
                && matches!(key.get("kid"), None | Some(Value::String(_)))
                && matches!(key["use"].as_str(), None | Some("sig"))
                && matches!(key["alg"].as_str(), None | Some("EdDSA"))
        };
        assert!(
            keys.iter().any(|key| is_ours(&key)),
            "by no key of the set, and it passed"
        );
    }
}

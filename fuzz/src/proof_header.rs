use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};

use crate::{
    issuer::{AUDIENCE, NOW, jwk, signed},
    json::Size,
    proof::{CLIENTS, ask, layer, with_token_hash},
};

/// Members that say nothing here: the other library reads them.
const UNREAD: [&str; 9] = [
    "kid", "jku", "x5u", "x5c", "x5t", "x5t#S256", "cty", "url", "nonce",
];

/// Arbitrary bytes as the header of a proof of possession that the client's key signed, over claims
/// that are good; `@` stands for that key.
///
/// What is admitted has a header that another parser reads as unambiguous, of a proof, with the
/// client's public key and nothing private; and another library takes the proof by the key in it.
pub fn proof_header(data: &[u8]) {
    let key = jwk(&CLIENTS).to_string();
    let pieces: Vec<_> = data.split(|byte| *byte == b'@').collect();
    let header = pieces.join(key.as_bytes());
    let claims = json!({
        "jti": "1", "htm": "POST", "htu": AUDIENCE, "iat": NOW, "ath": "@",
    });
    let claims = with_token_hash(claims.to_string().as_bytes());
    let Ok(field) = HeaderValue::try_from(signed(&CLIENTS, &header, &claims)) else {
        return;
    };
    let is_admitted = ask(&layer(), &field).is_admitted();
    let parsed = serde_json::from_slice::<Map<String, Value>>(&header);
    let repeats = Size::of(&header).is_ok_and(|size| size.repeats.get());
    let is_plain = parsed.as_ref().is_ok_and(is_plain) && !repeats;
    assert!(is_admitted || !is_plain, "a plain proof was refused");
    if !is_admitted {
        return;
    }
    let header = parsed.expect("a header that is no JSON object, and it passed");
    assert!(!repeats, "a member is repeated, and it passed");
    assert_eq!(header.get("typ"), Some(&json!("dpop+jwt")));
    assert_eq!(header.get("alg"), Some(&json!("EdDSA")));
    for name in ["crit", "b64", "zip", "enc"] {
        assert!(!header.contains_key(name), "`{name}`, and it passed");
    }
    let in_it = header["jwk"]
        .as_object()
        .expect("a key that is no object, and it passed");
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(
            !in_it.contains_key(name),
            "`{name}` in the key, and it passed"
        );
    }
    let ours = jwk(&CLIENTS);
    for name in ["kty", "crv", "x"] {
        assert_eq!(
            in_it.get(name),
            ours.get(name),
            "another key, and it passed"
        );
    }
    assert!(
        reference_takes(&header, &claims),
        "another library refuses it, and it passed"
    );
}

/// By the key that stands in the header.
fn reference_takes(header: &Map<String, Value>, claims: &[u8]) -> bool {
    let mut read = header.clone();
    read.retain(|name, _| !UNREAD.contains(&&**name));
    if let Some(key) = read.get_mut("jwk").and_then(Value::as_object_mut) {
        key.retain(|name, _| !UNREAD.contains(&&**name));
    }
    let proof = signed(&CLIENTS, Value::Object(read).to_string().as_bytes(), claims);
    let header = jsonwebtoken::decode_header(&proof);
    let key = header
        .ok()
        .and_then(|header| DecodingKey::from_jwk(&header.jwk?).ok());
    let mut rules = Validation::new(Algorithm::EdDSA);
    rules.required_spec_claims.clear();
    (rules.validate_exp, rules.validate_aud) = (false, false);
    key.is_some_and(|key| jsonwebtoken::decode::<Map<String, Value>>(&proof, &key, &rules).is_ok())
}

/// Whether nothing at all can be said against the header. Some that can pass are not plain.
fn is_plain(header: &Map<String, Value>) -> bool {
    header
        .keys()
        .all(|name| ["alg", "typ", "jwk"].contains(&&**name))
        && header.get("alg") == Some(&json!("EdDSA"))
        && header.get("typ") == Some(&json!("dpop+jwt"))
        && header.get("jwk") == Some(&jwk(&CLIENTS))
}

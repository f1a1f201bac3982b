use std::sync::LazyLock;

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::Ed25519KeyPair,
};
use bartizan_jwt::{DpopConfig, JwtLayer};
use http::{HeaderValue, Method, Request, Uri, header};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    issuer::{AUDIENCE, ISSUER, KEY, NOW, encode, jwk, signed, verifier},
    json::Size,
    send::{Frames, Sent, send},
};

const WINDOW: u64 = 300;

pub(crate) static CLIENTS: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a key"));

/// A token that is bound to the client's key.
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let jwk = jwk(&CLIENTS).to_string(); // sorted, and of the required members alone
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 300,
        "cnf": { "jkt": encode(digest(&SHA256, jwk.as_bytes()).as_ref()) },
    });
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k" });
    signed(
        &KEY,
        header.to_string().as_bytes(),
        claims.to_string().as_bytes(),
    )
});

/// Arbitrary bytes as a proof of possession: after an even byte as the claims of one that the client's
/// key signed, otherwise as the whole field.
///
/// What is admitted is, by another parser, a proof for this request and token; and is admitted once.
pub fn proof(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let layer = layer();
    if kind % 2 == 1 {
        let Ok(field) = HeaderValue::from_bytes(data) else {
            return;
        };
        assert!(
            !ask(&layer, &field).is_admitted(),
            "signed by nobody, and it passed"
        );
        return;
    }
    let data = with_token_hash(data);
    let header = json!({ "alg": "EdDSA", "typ": "dpop+jwt", "jwk": jwk(&CLIENTS) });
    let proof = signed(&CLIENTS, header.to_string().as_bytes(), &data);
    let field = HeaderValue::try_from(proof).expect("a header value");
    let is_admitted = ask(&layer, &field).is_admitted();
    let parsed = serde_json::from_slice::<Map<String, Value>>(&data);
    let repeats = Size::of(&data).is_ok_and(|size| size.repeats.get());
    let is_plain = parsed.as_ref().is_ok_and(is_plain) && !repeats;
    assert!(is_admitted || !is_plain, "a plain proof was refused");
    let is_good = parsed.is_ok_and(|claims| is_good(&claims));
    if is_admitted {
        assert!(
            is_good && !repeats,
            "not a proof for this request, and it passed"
        );
        assert!(!ask(&layer, &field).is_admitted(), "used twice");
    }
}

/// `@` stands for the hash of the token, which no mutation would find.
pub(crate) fn with_token_hash(data: &[u8]) -> Vec<u8> {
    let ath = encode(digest(&SHA256, TOKEN.as_bytes()).as_ref());
    let pieces: Vec<_> = data.split(|byte| *byte == b'@').collect();
    pieces.join(ath.as_bytes())
}

pub(crate) fn layer() -> JwtLayer {
    let mut config = DpopConfig::default().window_seconds(WINDOW);
    config.replay_capacity = 1000;
    let verifier = verifier().dpop(config).build();
    JwtLayer::new(verifier.expect("the configuration is fine"))
}

pub(crate) fn ask(layer: &JwtLayer, proof: &HeaderValue) -> Sent {
    let mut request = Request::new(Frames::new(b"", 1));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/mcp");
    let token = HeaderValue::try_from(format!("DPoP {}", *TOKEN)).expect("a header value");
    request.headers_mut().insert(header::AUTHORIZATION, token);
    request.headers_mut().insert("dpop", proof.clone());
    let sent = send(layer, request);
    if !sent.is_admitted() {
        assert_eq!(sent.answer.status(), 401);
        assert!(sent.context.principal().is_none());
    }
    sent
}

/// Whether nothing that RFC 9449 §4.3 asks of the claims is missing.
fn is_good(claims: &Map<String, Value>) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let ath = encode(digest(&SHA256, TOKEN.as_bytes()).as_ref());
    let made = claims.get("iat").and_then(Value::as_f64);
    let is_now = |made: f64| (made - NOW as f64).abs() <= WINDOW as f64 + 1e-3;
    let is_here = |htu: &str| {
        Url::parse(htu).is_ok_and(|mut htu| {
            htu.set_query(None);
            htu.set_fragment(None);
            let path = htu.path().replace("%6D", "m").replace("%6d", "m");
            let path = path.replace("%63", "c").replace("%70", "p");
            htu.set_path(&path);
            htu.as_str() == AUDIENCE
        })
    };
    text("htm") == Some("POST")
        && text("htu").is_some_and(is_here)
        && text("jti").is_some_and(|id| !id.is_empty())
        && text("ath") == Some(&*ath)
        && made.is_some_and(is_now)
}

/// Whether nothing at all can be said against the claims. Some that can pass are not plain.
fn is_plain(claims: &Map<String, Value>) -> bool {
    let known = ["ath", "htm", "htu", "iat", "jti"];
    is_good(claims)
        && claims.keys().all(|name| known.contains(&name.as_str()))
        && claims["htu"] == AUDIENCE
        && claims["iat"].is_u64()
        && claims["jti"].as_str().is_some_and(|id| id.len() <= 100)
}

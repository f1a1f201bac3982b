use std::sync::LazyLock;

use bartizan_jwt::{JwtLayer, JwtVerifier, TokenProfile};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Request, header};

use crate::{
    lines::lines,
    send::{Frames, send},
};

/// Public keys whose private halves were thrown away: nobody can sign for them.
const KEYS: &str = include_str!("keys.json");

static LAYERS: LazyLock<[JwtLayer; 2]> = LazyLock::new(|| {
    let layer = |profile| {
        let verifier = JwtVerifier::builder()
            .issuer("https://auth.example.com")
            .audience("https://mcp.example.com/mcp")
            .jwk_set(KEYS)
            .profile(profile)
            .build();
        JwtLayer::new(verifier.expect("the configuration is fine"))
    };
    [
        layer(TokenProfile::AccessToken),
        layer(TokenProfile::GenericAccessToken).allow_anonymous(),
    ]
});

/// An arbitrary bearer token: one line as it is, or three lines that are header, claims and
/// signature before they are encoded.
///
/// Nobody is admitted, and the answer is a 400 or a 401 with a challenge.
pub fn token(data: &[u8]) {
    let mut parts: Vec<_> = lines(data).map(<[u8]>::to_vec).collect();
    if let [_, _, ..] = parts[..] {
        // A signature may hold line feeds.
        let signature = parts.split_off(2.min(parts.len())).join(&b'\n');
        parts.push(signature);
        for part in &mut parts {
            *part = URL_SAFE_NO_PAD.encode(&*part).into_bytes();
        }
    }
    let field = [b"Bearer ", &*parts.join(&b'.')].concat();
    let Ok(field) = HeaderValue::from_bytes(&field) else {
        return;
    };
    for layer in LAYERS.iter() {
        let mut request = Request::new(Frames::new(b"", 1));
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, field.clone());
        let sent = send(layer, request);
        assert!(!sent.is_admitted(), "an unsigned token was admitted");
        assert!(sent.context.principal().is_none());
        assert!(matches!(sent.answer.status().as_u16(), 400 | 401));
        let challenge = sent.answer.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok());
        assert!(challenge.is_some_and(|text| text.starts_with("Bearer ")));
    }
}

use std::sync::LazyLock;

use bartizan_jwt::{JwtLayer, TokenProfile};
use http::{HeaderValue, Request, header};
use serde_json::{Map, Value, json};

use crate::{
    issuer::{AUDIENCE, ISSUER, KEY, NOW, reference_takes, signed, verifier},
    json::Size,
    send::{Frames, send},
};

/// Members that say nothing here, whatever they hold (TV-10): the other library reads them.
const UNREAD: [&str; 9] = [
    "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "url", "nonce",
];

static LAYERS: LazyLock<[(TokenProfile, JwtLayer); 2]> = LazyLock::new(|| {
    [TokenProfile::AccessToken, TokenProfile::GenericAccessToken].map(|profile| {
        let verifier = verifier().profile(profile).build();
        let verifier = verifier.expect("the configuration is fine");
        (profile, JwtLayer::new(verifier))
    })
});

/// Arbitrary bytes as the header of a token that the issuer signed, over claims that are good.
///
/// Who is admitted has a header that another parser reads as unambiguous, of an access token, without
/// critical extensions or another encoding, by the one algorithm of the key that it names; and another
/// library takes the token.
pub fn header(data: &[u8]) {
    let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 300 });
    let claims = claims.to_string();
    let token = signed(&KEY, data, claims.as_bytes());
    let Ok(field) = HeaderValue::try_from(format!("Bearer {token}")) else {
        return;
    };
    let parsed = serde_json::from_slice::<Map<String, Value>>(data);
    let repeats = Size::of(data).is_ok_and(|size| size.repeats.get());
    for (profile, layer) in LAYERS.iter() {
        let mut request = Request::new(Frames::new(b"", 1));
        request
            .headers_mut()
            .insert(header::AUTHORIZATION, field.clone());
        let sent = send(layer, request);
        if !sent.is_admitted() {
            assert_eq!(sent.answer.status(), 401);
            assert!(sent.context.principal().is_none());
            let is_plain = parsed.as_ref().is_ok_and(is_plain) && !repeats;
            assert!(!is_plain, "a plain token was refused");
            continue;
        }
        let header = parsed
            .as_ref()
            .expect("a header that is no JSON object, and it passed");
        assert!(!repeats, "a member is repeated, and it passed");
        assert_eq!(header.get("alg"), Some(&json!("EdDSA")));
        for name in ["crit", "b64", "zip", "enc"] {
            assert!(!header.contains_key(name), "`{name}`, and it passed");
        }
        let kid = header.get("kid");
        assert!(
            kid.is_none_or(|kid| kid == "k"),
            "another key's id, and it passed"
        );
        assert!(
            is_of_sort(*profile, header.get("typ")),
            "of another sort, and it passed"
        );
        let mut read = header.clone();
        read.retain(|name, _| !UNREAD.contains(&&**name));
        let read = Value::Object(read).to_string();
        let read = signed(&KEY, read.as_bytes(), claims.as_bytes());
        assert!(
            reference_takes(&read),
            "another library refuses it, and it passed"
        );
        let unread = header.keys().any(|name| UNREAD.contains(&&**name));
        assert!(
            unread || reference_takes(&token),
            "another library refuses it, and it passed"
        );
    }
}

fn is_of_sort(profile: TokenProfile, typ: Option<&Value>) -> bool {
    let typ = typ.map(|typ| typ.as_str().expect("a type that is no text, and it passed"));
    let typ = typ.map(str::to_ascii_lowercase);
    match typ.as_deref() {
        Some("at+jwt" | "application/at+jwt") => true,
        Some("jwt" | "application/jwt") | None => profile == TokenProfile::GenericAccessToken,
        Some(_) => false,
    }
}

/// Whether nothing at all can be said against the header. Some that can pass are not plain.
fn is_plain(header: &Map<String, Value>) -> bool {
    header
        .keys()
        .all(|name| ["alg", "typ", "kid"].contains(&&**name))
        && header.get("alg") == Some(&json!("EdDSA"))
        && header.get("typ") == Some(&json!("at+jwt"))
        && header.get("kid").is_none_or(|kid| kid == "k")
}

use std::sync::LazyLock;

use bartizan_jwt::JwtLayer;
use http::{HeaderValue, Request, header};
use serde_json::{Map, Value};

use crate::{
    issuer::{AUDIENCE, ISSUER, KEY, LEEWAY, NOW, names_us, reference_takes, signed, verifier},
    json::Size,
    send::{Frames, send},
};

static LAYER: LazyLock<JwtLayer> =
    LazyLock::new(|| JwtLayer::new(verifier().build().expect("the configuration is fine")));

/// Arbitrary bytes as the claims of a token that the issuer signed.
///
/// Who is admitted has claims that another parser reads as unambiguous, from this issuer, for this
/// audience and of this time, and that another library takes; and is who they say.
pub fn claims(data: &[u8]) {
    let header = br#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#;
    let token = signed(&KEY, header, data);
    let field = format!("Bearer {token}");
    let mut request = Request::new(Frames::new(b"", 1));
    let field = HeaderValue::try_from(field).expect("a header value");
    request.headers_mut().insert(header::AUTHORIZATION, field);
    let sent = send(&*LAYER, request);

    let parsed = serde_json::from_slice::<Map<String, Value>>(data);
    let Some(reached) = &sent.reached else {
        assert_eq!(sent.answer.status(), 401);
        assert!(sent.context.principal().is_none());
        let plain = parsed.is_ok_and(|claims| is_plain(&claims));
        let repeats = || Size::of(data).is_ok_and(|size| size.repeats.get());
        assert!(!plain || repeats(), "a plain token was refused");
        return;
    };
    assert!(!reached.headers().contains_key(header::AUTHORIZATION));
    assert!(
        reference_takes(&token),
        "another library refuses it, and it passed"
    );
    let claims = parsed.expect("claims that are no JSON object, and they passed");
    let size = Size::of(data).expect("JSON");
    assert!(!size.repeats.get(), "a claim is repeated, and it passed");
    assert_eq!(claims.get("iss"), Some(&Value::from(ISSUER)));
    assert!(is_for_us(&claims["aud"]), "{} passed", claims["aud"]);
    let (now, leeway) = (NOW as f64, LEEWAY as f64);
    let date = |name: &str| {
        let date = claims.get(name)?;
        Some(
            date.as_f64()
                .expect("a date that is no number, and it passed"),
        )
    };
    let expiry = date("exp").expect("no expiry, and it passed");
    assert!(
        expiry > now - leeway - 1e-3,
        "expired at {expiry}, and it passed"
    );
    assert!(date("nbf").is_none_or(|from| from <= now + leeway + 1e-3));
    assert!(date("iat").is_none_or(|at| at <= now + leeway + 1e-3));
    assert!(!claims.contains_key("cnf"));

    let principal = sent.context.principal().expect("a principal");
    assert!(!principal.is_anonymous() && !principal.subject().is_empty());
    assert_eq!(principal.issuer(), ISSUER);
    assert_eq!(Some(principal.subject()), claims["sub"].as_str());
    assert_eq!(principal.claims(), &claims);
    let stamped = principal.expires_at().expect("an expiry").as_secs_f64();
    assert!((stamped - expiry).abs() < 1e-3);
    let client = claims.get("client_id").or(claims.get("azp"));
    assert!(principal.client_id().is_none_or(|id| {
        [client, claims.get("azp")]
            .iter()
            .any(|c| c.and_then(Value::as_str) == Some(id))
    }));
    let granted = |name: &str| match claims.get(name) {
        Some(Value::String(text)) => text.split(' ').map(str::to_owned).collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let scopes = ["scope", "scp", "scopes"].map(granted).concat();
    assert!(
        principal
            .scopes()
            .all(|scope| scopes.iter().any(|s| s == scope))
    );
    let roles: Vec<_> = match claims.get("roles").or(claims.get("role")) {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        other => other.and_then(Value::as_str).into_iter().collect(),
    };
    assert!(principal.roles().all(|role| roles.contains(&role)));
}

fn is_for_us(aud: &Value) -> bool {
    match aud {
        Value::Array(all) => all.iter().all(Value::is_string) && all.iter().any(names_us),
        one => names_us(one),
    }
}

/// Whether nothing at all can be said against the claims. Some that can pass are not plain.
fn is_plain(claims: &Map<String, Value>) -> bool {
    let known = ["iss", "aud", "sub", "exp"];
    let expiry = claims.get("exp").and_then(Value::as_u64);
    claims.keys().all(|name| known.contains(&name.as_str()))
        && claims.get("iss") == Some(&Value::from(ISSUER))
        && claims.get("aud") == Some(&Value::from(AUDIENCE))
        && expiry.is_some_and(|at| (NOW..NOW + (1 << 32)).contains(&at))
        && claims
            .get("sub")
            .and_then(Value::as_str)
            .is_some_and(|sub| (1..100).contains(&sub.len()))
}

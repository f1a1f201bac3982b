use bartizan_jwt::TokenProfile;
use bartizan_kit::{Algorithm as Alg, Token};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/tokens.json");

/// `$U` and `$I` in strings, `{"$now": seconds}` for numbers.
fn filled(value: &Value) -> Value {
    match value {
        Value::String(s) => json!(s.replace("$U", U).replace("$I", I)),
        Value::Array(items) => items.iter().map(filled).collect(),
        Value::Object(members) => match members.get("$now") {
            Some(offset) => json!(i64::try_from(NOW).unwrap() + offset.as_i64().unwrap()),
            None => Value::Object(
                members
                    .iter()
                    .map(|(k, v)| (k.clone(), filled(v)))
                    .collect(),
            ),
        },
        other => other.clone(),
    }
}

fn members(vector: &Value, name: &str) -> Map<String, Value> {
    match filled(&vector[name]) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn listed<'a>(vector: &'a Value, name: &str) -> Vec<&'a str> {
    let list = vector[name].as_array();
    list.into_iter()
        .flatten()
        .map(|v| v.as_str().unwrap())
        .collect()
}

fn token(vector: &Value, mint: &TokenMint) -> Token {
    let own = mint.key(Alg::Es256);
    let mut token = mint.token();
    token = match vector["sign"].as_str() {
        None => token,
        Some("rs256") => token.signed_by(&mint.key(Alg::Rs256)),
        Some("eddsa") => token.signed_by(&mint.key(Alg::EdDsa)),
        Some("impostor") => {
            let key = mint.impostor().key(Alg::Es256);
            token.signed_by(&key).kid(own.kid())
        }
        Some("unsigned") => token.unsigned("none"),
        Some("hs256_pem") => token.hs256_with(own.public_pem()),
        Some("hs256_jwk") => token.hs256_with(own.jwk().to_string()),
        Some(other) => panic!("no way to sign is called {other}"),
    };
    for (name, value) in members(vector, "header") {
        token = token.header(&name, value);
    }
    for (name, value) in members(vector, "claims") {
        token = token.claim(&name, value);
    }
    for (name, text) in members(vector, "claims_text") {
        token = token.claim_text(&name, text.as_str().unwrap());
    }
    for (name, value) in members(vector, "repeat_header") {
        token = token.header_again(&name, value);
    }
    for (name, value) in members(vector, "repeat_claims") {
        token = token.claim_again(&name, value);
    }
    for name in listed(vector, "drop_header") {
        token = token.no_header(name);
    }
    for name in listed(vector, "drop_claims") {
        token = token.no_claim(name);
    }
    match vector["raw_claims"].as_str() {
        Some(text) => token.raw_claims(text),
        None => token,
    }
}

fn encoded(vector: &Value, token: &Token, mint: &TokenMint) -> String {
    let [header, claims, signature] = token.segments();
    let good = token.encode();
    match vector["as"].as_str() {
        None => good,
        Some("json") => token.encode_json(),
        Some("spoiled") => token.encode_spoiled(),
        Some("signed_by_nobody") => token.clone().signature([0; 64]).encode(),
        Some("swapped_claims") => {
            let other = mint.token().sub("root").segments();
            format!("{header}.{}.{signature}", other[1])
        }
        Some("kid_of_rsa") => token.clone().kid(mint.key(Alg::Rs256).kid()).encode(),
        Some("four_segments") => format!("{good}.AAAA"),
        Some("five_segments") => format!("{good}.AAAA.AAAA"),
        Some("two_segments") => format!("{header}.{claims}"),
        Some("padded") => format!("{good}=="),
        // 64 bytes end in a character of which only two bits count.
        Some("stray_bits") => {
            let last = good.chars().last().unwrap();
            let next = char::from(u8::try_from(last).unwrap() + 1);
            format!("{}{next}", &good[..good.len() - 1])
        }
        Some("megabyte") => format!("{good}{}", "A".repeat(1 << 20)),
        Some("abc") => "abc".into(),
        Some("deep") => {
            let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
            token.clone().claim_text("x", &deep).encode()
        }
        Some(other) => panic!("no form is called {other}"),
    }
}

#[tokio::test]
async fn every_vector_is_accepted_or_refused_for_its_own_reason() {
    let clock = clock();
    let mint = mint(&clock);
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 80);
    for vector in &vectors {
        let mut builder = builder(&clock);
        if vector["profile"] == "generic" {
            builder = builder.profile(TokenProfile::GenericAccessToken);
        }
        if vector["strict"] == true {
            builder = builder.strict_rfc9068();
        }
        let token = encoded(vector, &token(vector, &mint), &mint);
        let begun = Instant::now();
        let result = builder.build().unwrap().verify(&token).await;
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{}",
            vector["name"]
        );
        assert_eq!(
            reason(result),
            vector["expected"].as_str().unwrap(),
            "{}",
            vector["name"]
        );
    }
}

/// AL-3: which fault it was is for the audit; the caller sees one answer.
#[tokio::test]
async fn ac_5_every_refusal_looks_the_same_from_outside() {
    let clock = clock();
    let mint = mint(&clock);
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let layer = JwtLayer::new(builder(&clock).build().unwrap());
    let mut answers = std::collections::HashSet::new();
    for vector in vectors.iter().filter(|v| v["expected"] != "accepted") {
        if vector["profile"] == "generic" || vector["strict"] == true {
            continue;
        }
        let token = encoded(vector, &token(vector, &mint), &mint);
        let answer = send(&layer, request(&format!("Bearer {token}"))).await;
        assert_eq!(
            answer.status(),
            StatusCode::UNAUTHORIZED,
            "{}",
            vector["name"]
        );
        assert!(challenge(&answer).contains(r#"error="invalid_token""#));
        let headers = format!("{:?}", answer.headers());
        answers.insert((headers, text(answer).await));
    }
    assert_eq!(answers.len(), 1);
}

/// A 64-byte signature leaves four spare bits in its last character, so adding one to it is stray.
#[test]
fn the_stray_bits_vector_is_what_it_says() {
    let good = mint(&clock()).token().encode();
    assert!("AQgw".contains(good.chars().last().unwrap()));
}

proptest! {
    #[test]
    fn no_text_is_ever_accepted(text in "\\PC{0,120}", spoil in 0_usize..400, byte in "[A-Za-z0-9_.=-]") {
        let clock = clock();
        let verifier = builder(&clock).build().unwrap();
        let good = mint(&clock).token().encode();
        let at = spoil % good.len();
        let spoiled = format!("{}{byte}{}", &good[..at], &good[at + 1..]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            assert!(verifier.verify(&text).await.is_err());
            let result = verifier.verify(&spoiled).await;
            assert_eq!(result.is_ok(), spoiled == good);
        });
    }
}

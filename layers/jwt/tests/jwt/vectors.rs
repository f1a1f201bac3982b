use bartizan_jwt::TokenProfile;
use bartizan_kit::{Algorithm as Alg, Token};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
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
        Some("hs256_ec_pem") => token.hs256_with(own.public_pem()),
        Some("hs256_rsa_pem") => {
            let key = mint.key(Alg::Rs256);
            token.hs256_with(key.public_pem()).kid(key.kid())
        }
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

/// The token with the bytes of its header and claims respelled, signed by the mint's ES256 key.
fn respelled(
    token: &Token,
    mint: &TokenMint,
    respell: impl Fn(usize, Vec<u8>) -> Vec<u8>,
) -> String {
    let segments = token.segments();
    let part = |at: usize| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&segments[at]).unwrap();
        BASE64_URL_SAFE_NO_PAD.encode(respell(at, bytes))
    };
    let message = format!("{}.{}", part(0), part(1));
    let signature = mint.key(Alg::Es256).sign(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// JSON text in another encoding than UTF-8, or with what does not belong into it.
fn respell(spelling: &str, text: Vec<u8>) -> Vec<u8> {
    let after_brace = |bytes: &[u8]| [b"{\"x\":\"", bytes, b"\",", &text[1..]].concat();
    match spelling {
        "latin1" => after_brace(b"caf\xe9"),
        "overlong" => after_brace(b"\xc0\xaf"),
        "bom" => [&b"\xef\xbb\xbf"[..], &text].concat(),
        "utf16" => {
            let units = String::from_utf8(text).unwrap();
            let units = units.encode_utf16().flat_map(u16::to_le_bytes);
            [0xff, 0xfe].into_iter().chain(units).collect()
        }
        other => panic!("no spelling is called {other}"),
    }
}

/// An ECDSA signature as X.509 has it: a sequence of two integers.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits: Vec<_> = half.iter().copied().skip_while(|b| *b == 0).collect();
        let sign = (digits[0] >= 0x80).then_some(0);
        let value: Vec<_> = sign.into_iter().chain(digits).collect();
        [vec![2, u8::try_from(value.len()).unwrap()], value].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}

fn with_signature(token: &Token, change: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let [header, claims, signature] = token.segments();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.encode(change(&signature));
    format!("{header}.{claims}.{signature}")
}

fn encoded(vector: &Value, token: &Token, mint: &TokenMint) -> String {
    let [header, claims, signature] = token.segments();
    let good = token.encode();
    if let Some((spelling, part)) = vector["as"].as_str().and_then(|name| name.rsplit_once('_'))
        && let Some(part) = ["header", "claims"].iter().position(|name| *name == part)
        && spelling != "swapped"
    {
        return respelled(token, mint, |at, bytes| match at == part {
            true => respell(spelling, bytes),
            false => bytes,
        });
    }
    match vector["as"].as_str() {
        None => good,
        Some("json") => token.encode_json(),
        Some("spoiled") => token.encode_spoiled(),
        Some("signed_by_nobody") => token.clone().signature([0; 64]).encode(),
        Some("signed_by_the_order") => {
            let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
            with_signature(token, |_| order.repeat(2))
        }
        Some("der_signature") => with_signature(token, der),
        Some("longer_signature") => with_signature(token, |s| [&[0], s].concat()),
        Some("shorter_signature") => with_signature(token, |s| s[..s.len() - 1].to_vec()),
        Some("nested") => token.clone().raw_claims(mint.token().encode()).encode(),
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

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// The verifier that a vector is for.
fn verifier(vector: &Value, clock: &FakeClock) -> JwtVerifier {
    let mut builder = builder(clock);
    if vector["profile"] == "generic" {
        builder = builder.profile(TokenProfile::GenericAccessToken);
    }
    if vector["strict"] == true {
        builder = builder.strict_rfc9068();
    }
    builder.build().unwrap()
}

#[tokio::test]
async fn every_vector_is_accepted_or_refused_for_its_own_reason() {
    let clock = clock();
    let mint = mint(&clock);
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    assert!(vectors.len() > 80);
    for vector in &vectors {
        let token = encoded(vector, &token(vector, &mint), &mint);
        let begun = Instant::now();
        let result = verifier(vector, &clock).verify(&token).await;
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
    let mut answers = std::collections::HashSet::new();
    for vector in &vectors {
        let layer = JwtLayer::new(verifier(vector, &clock));
        let token = encoded(vector, &token(vector, &mint), &mint);
        let answer = send(&layer, request(&format!("Bearer {token}"))).await;
        let (status, name) = (answer.status(), &vector["name"]);
        if vector["expected"] == "accepted" {
            assert_eq!(status, StatusCode::OK, "{name}");
            continue;
        }
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}");
        assert!(challenge(&answer).contains(r#"error="invalid_token""#));
        let headers = format!("{:?}", answer.headers());
        answers.insert((headers, text(answer).await));
    }
    assert_eq!(answers.len(), 1);
}

/// The best current practices, each as far as a token can break it. §3.5 is about secrets, which
/// `secret.rs` tries.
#[test]
fn every_practice_of_rfc_8725_has_vectors() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let sources = vectors.iter().map(|v| v["source"].as_str().unwrap());
    let cited: std::collections::BTreeSet<_> = sources
        .flat_map(|source| source.split("RFC 8725 ").skip(1))
        .flat_map(|sections| sections.split(", "))
        .filter_map(|section| section.strip_prefix("§3."))
        .map(|section| section.parse::<u32>().unwrap())
        .collect();
    assert!(cited.into_iter().eq([1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]));
}

/// A 64-byte signature leaves four spare bits in its last character, so adding one to it is stray.
#[test]
fn the_stray_bits_vector_is_what_it_says() {
    let good = mint(&clock()).token().encode();
    assert!("AQgw".contains(good.chars().last().unwrap()));
}

/// Otherwise it would be refused for another reason than its form.
#[test]
fn the_der_vector_is_a_good_signature_in_der() {
    let key = mint(&clock()).key(Alg::Es256);
    let in_der = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1;
    let public = aws_lc_rs::signature::UnparsedPublicKey::new(in_der, key.public_der());
    public
        .verify(b"message", &der(&key.sign(b"message")))
        .unwrap();
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

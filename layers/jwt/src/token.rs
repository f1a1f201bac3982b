use bartizan_token::{Fault, json};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{Algorithm, TokenProfile};

/// The longest key id that is looked up (TV-10).
const MAX_KID_CHARS: usize = 256;

/// A token's three segments, of which nothing is believed yet.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    message: &'a str,
}

/// A token whose header was judged and whose signature was not checked.
pub(crate) struct Unverified<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    /// What was signed: header and claims as sent.
    pub(crate) message: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Takes the compact serialization apart (TV-11).
    pub(crate) fn split(token: &'a str, max_bytes: usize) -> Result<Self, Fault> {
        if token.len() > max_bytes {
            return Err("the token is too long");
        }
        let (message, signature) = token.rsplit_once('.').ok_or("not a compact token")?;
        let (header, claims) = message.split_once('.').ok_or("not a compact token")?;
        if claims.contains('.') {
            return Err("not three segments");
        }
        if header.is_empty() || claims.is_empty() || signature.is_empty() {
            return Err("an empty segment");
        }
        Ok(Self {
            header,
            claims,
            signature,
            message,
        })
    }

    /// Reads the header and judges it.
    pub(crate) fn judged(
        self,
        allowed: &[Algorithm],
        profile: TokenProfile,
    ) -> Result<Unverified<'a>, Fault> {
        let (algorithm, kid) = judge_header(&self.header()?, allowed, profile)?;
        Ok(Unverified {
            algorithm,
            kid,
            message: self.message(),
            signature: self.signature()?,
        })
    }

    /// The header, of which nothing was judged.
    pub(crate) fn header(self) -> Result<Map<String, Value>, Fault> {
        json::object(&decode(self.header)?)
            .map_err(|_| "the header is not one unambiguous JSON object")
    }

    /// What was signed: header and claims as sent.
    pub(crate) fn message(self) -> &'a [u8] {
        self.message.as_bytes()
    }

    pub(crate) fn signature(self) -> Result<Vec<u8>, Fault> {
        decode(self.signature)
    }

    /// The claims. Before the signature is known to be good they tell whom to ask, and no more.
    pub(crate) fn claims(self) -> Result<Map<String, Value>, Fault> {
        json::object(&decode(self.claims)?)
            .map_err(|_| "the claims are not one unambiguous JSON object")
    }
}

/// Keys and URLs in the header (`jwk`, `jku`, `x5c`, `x5u`) are not looked at (TV-10, SS-3).
fn judge_header(
    header: &Map<String, Value>,
    allowed: &[Algorithm],
    profile: TokenProfile,
) -> Result<(Algorithm, Option<String>), Fault> {
    let algorithm = match header.get("alg") {
        Some(Value::String(name)) => Algorithm::from_name(name)
            .filter(|algorithm| allowed.contains(algorithm))
            .ok_or("the algorithm is not allowed")?,
        _ => return Err("the header names no algorithm"),
    };
    if header.contains_key("crit") {
        return Err("the header has critical extensions");
    }
    if is_encoded_otherwise(header) {
        return Err("the header asks for another encoding");
    }
    profile.judge_type(header.get("typ"))?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.chars().nth(MAX_KID_CHARS).is_none() => Some(kid.clone()),
        Some(_) => return Err("the key id is no string of reasonable length"),
    };
    Ok((algorithm, kid))
}

/// Whether the claims are not said to be what was signed, in the clear (RFC 7797, RFC 7516).
pub(crate) fn is_encoded_otherwise(header: &Map<String, Value>) -> bool {
    ["b64", "enc", "zip"]
        .iter()
        .any(|member| header.contains_key(*member))
}

/// Strict base64url: no padding, no stray bits, no other characters.
fn decode(segment: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| "a segment is not canonical base64url")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(token: &str) -> Result<Unverified<'_>, Fault> {
        Compact::split(token, 16 * 1024)?.judged(&Algorithm::DEFAULT, TokenProfile::AccessToken)
    }

    fn with_header(header: &str) -> String {
        format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn tv_11_only_three_canonical_segments_are_a_token() {
        let good = with_header(r#"{"alg":"ES256","typ":"at+jwt"}"#);
        assert!(parse(&good).is_ok());
        let header = good.split('.').next().unwrap();
        for (token, fault) in [
            (format!("{good}.AAAA"), "not three segments"),
            (format!("{header}.e30"), "not a compact token"),
            (String::new(), "not a compact token"),
            (format!("{header}.e30."), "an empty segment"),
            (format!("{header}..AAAA"), "an empty segment"),
            (format!(".{header}.AAAA"), "an empty segment"),
            (
                format!("{header}=.e30.AAAA"),
                "a segment is not canonical base64url",
            ),
            (
                format!("{header}.e30.AAB"),
                "a segment is not canonical base64url",
            ),
            (
                format!("{header}.e30.A+/A"),
                "a segment is not canonical base64url",
            ),
            (
                format!("{header}.e30.AA AA"),
                "a segment is not canonical base64url",
            ),
            (
                format!("{header}.e30.{}", "A".repeat(17_000)),
                "the token is too long",
            ),
        ] {
            assert_eq!(parse(&token).err(), Some(fault), "{token}");
        }
    }

    #[test]
    fn tv_9_and_10_key_material_is_ignored_and_crit_is_refused() {
        let extra =
            |member: &str| with_header(&format!(r#"{{"alg":"ES256","typ":"at+jwt",{member}}}"#));
        assert!(parse(&extra(r#""jku":"http://127.0.0.1:9/","jwk":{"kty":"oct"}"#)).is_ok());
        for member in [
            r#""crit":["x"]"#,
            r#""crit":[]"#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""zip":"DEF""#,
            r#""kid":7"#,
            r#""kid":null"#,
            r#""alg":"ES256""#,
        ] {
            assert!(parse(&extra(member)).is_err(), "{member}");
        }
        let long = extra(&format!(r#""kid":"{}""#, "k".repeat(257)));
        assert!(parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn a_parsed_token_has_one_spelling(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            let canonical = URL_SAFE_NO_PAD.encode(&bytes);
            prop_assert_eq!(decode(&canonical), Ok(bytes));
            let padded = canonical + "=";
            prop_assert!(decode(&padded).is_err());
        }
    }
}

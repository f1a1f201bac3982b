use bartizan_token::Fault;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// What a token is bound to, by its claim `cnf` (RFC 7800).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The thumbprint of a key (`jkt`, RFC 9449 §6).
    pub(crate) key: Option<[u8; 32]>,
    /// That of a certificate (`x5t#S256`, RFC 8705 §3.1).
    pub(crate) certificate: Option<[u8; 32]>,
}

impl Binding {
    /// That of a token; none if it is a bearer's.
    ///
    /// A binding that is not understood refuses the token: its issuer did not mean it for everybody.
    pub(crate) fn of(claims: &Map<String, Value>) -> Result<Option<Self>, Fault> {
        const UNKNOWN: Fault = "the token is bound in a way that is not known here";
        let members = match claims.get("cnf") {
            None => return Ok(None),
            Some(Value::Object(members)) if !members.is_empty() => members,
            Some(_) => return Err(UNKNOWN),
        };
        let mut binding = Self {
            key: None,
            certificate: None,
        };
        for (name, value) in members {
            let thumbprint = value.as_str().and_then(thumbprint).ok_or(UNKNOWN)?;
            match name.as_str() {
                "jkt" => binding.key = Some(thumbprint),
                "x5t#S256" => binding.certificate = Some(thumbprint),
                _ => return Err(UNKNOWN),
            }
        }
        Ok(Some(binding))
    }
}

fn thumbprint(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binding_that_is_not_understood_refuses_the_token() {
        let of = |cnf: Value| {
            let claims = json!({ "cnf": cnf });
            Binding::of(claims.as_object().unwrap())
        };
        let good = URL_SAFE_NO_PAD.encode([7; 32]);
        assert_eq!(
            of(json!({ "jkt": good })).unwrap().unwrap().key,
            Some([7; 32])
        );
        let both = of(json!({ "jkt": good, "x5t#S256": good }))
            .unwrap()
            .unwrap();
        assert_eq!((both.key, both.certificate), (Some([7; 32]), Some([7; 32])));
        assert_eq!(Binding::of(&Map::new()), Ok(None));
        for cnf in [
            json!(null),
            json!({}),
            json!("x"),
            json!([good]),
            json!({ "jkt": 7 }),
            json!({ "jkt": "short" }),
            json!({ "jkt": format!("{good}=") }),
            json!({ "kid": good }),
            json!({ "jkt": good, "jwk": {} }),
            json!({ "x5t#S256": URL_SAFE_NO_PAD.encode([7; 20]) }),
        ] {
            assert!(of(cnf.clone()).is_err(), "{cnf}");
        }
    }
}

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::*};
use serde_json::{Value, json};

use crate::{SigningKey, members::Members};

/// A JWT on its way out of the mint: good, until told otherwise. `T(...)` of the requirements.
///
/// Members keep the order in which they were set; a setter replaces the member of that name, an
/// `..._again` setter adds a second one.
#[derive(Debug, Clone)]
#[must_use]
pub struct Token {
    now: i64,
    header: Members,
    claims: Members,
    signature: Signature,
}

#[derive(Debug, Clone)]
enum Signature {
    Key(SigningKey),
    Hmac(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Token {
    /// A token of the RFC 9068 profile that lives for five minutes from `now` (Unix seconds).
    pub(crate) fn good(issuer: &str, audience: &str, now: i64, key: &SigningKey) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let jti = format!("jti-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self {
            now,
            header: Members::default(),
            claims: Members::default(),
            signature: Signature::Bytes(Vec::new()),
        }
        .typ("at+jwt")
        .signed_by(key)
        .iss(issuer)
        .sub("ann")
        .aud(audience)
        .expires_in(300)
        .issued_in(0)
        .claim("jti", jti)
        .client_id("client-1")
    }

    /// Sets `iss`.
    pub fn iss(self, issuer: impl Into<Value>) -> Self {
        self.claim("iss", issuer)
    }

    /// Sets `sub`.
    #[allow(clippy::should_implement_trait, reason = "a claim's name")]
    pub fn sub(self, subject: impl Into<Value>) -> Self {
        self.claim("sub", subject)
    }

    /// Sets `aud`: a string, or `json!([..])`.
    pub fn aud(self, audience: impl Into<Value>) -> Self {
        self.claim("aud", audience)
    }

    /// Sets `client_id`.
    pub fn client_id(self, client: impl Into<Value>) -> Self {
        self.claim("client_id", client)
    }

    /// Sets `scope`.
    pub fn scope(self, scopes: &str) -> Self {
        self.claim("scope", scopes)
    }

    /// Sets `exp` to so many seconds from now; negative: it expired that long ago.
    pub fn expires_in(self, seconds: i64) -> Self {
        let at = self.now + seconds;
        self.claim("exp", at)
    }

    /// Sets `nbf` to so many seconds from now.
    pub fn valid_in(self, seconds: i64) -> Self {
        let at = self.now + seconds;
        self.claim("nbf", at)
    }

    /// Sets `iat` to so many seconds from now.
    pub fn issued_in(self, seconds: i64) -> Self {
        let at = self.now + seconds;
        self.claim("iat", at)
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.set(name, value.into().to_string());
        self
    }

    /// Sets a claim to JSON text that no `Value` holds: `1e400`, `{"a":1,"a":2}`.
    pub fn claim_text(mut self, name: &str, json: &str) -> Self {
        self.claims.set(name, json.to_owned());
        self
    }

    /// Adds a claim even if there is one of that name (TV-11).
    pub fn claim_again(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.add(name, value.into().to_string());
        self
    }

    /// Drops a claim.
    pub fn no_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Replaces the whole claims text by anything at all.
    pub fn raw_claims(mut self, text: impl Into<String>) -> Self {
        self.claims.whole = Some(text.into());
        self
    }

    /// Sets the header's `typ`.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Makes the header claim an algorithm; the signature stays what it is.
    pub fn alg_header(self, alg: &str) -> Self {
        self.header("alg", alg)
    }

    /// Sets the header's `kid`.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// Sets a header member: `crit`, `jwk`, `jku`, `b64`.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.set(name, value.into().to_string());
        self
    }

    /// Adds a header member even if there is one of that name (TV-11).
    pub fn header_again(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.add(name, value.into().to_string());
        self
    }

    /// Drops a header member.
    pub fn no_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Replaces the whole header text by anything at all.
    pub fn raw_header(mut self, text: impl Into<String>) -> Self {
        self.header.whole = Some(text.into());
        self
    }

    /// Signs with this key, and names its algorithm and id in the header. To pose as another key,
    /// call [`kid`](Self::kid) afterwards.
    pub fn signed_by(mut self, key: &SigningKey) -> Self {
        self.signature = Signature::Key(key.clone());
        self.alg_header(key.algorithm().name()).kid(key.kid())
    }

    /// Signs HS256 with these bytes, typically a public key (TV-5). The `kid` stays.
    pub fn hs256_with(mut self, secret: impl AsRef<[u8]>) -> Self {
        self.signature = Signature::Hmac(secret.as_ref().to_vec());
        self.alg_header("HS256")
    }

    /// Carries these bytes for a signature; empty for the `none` attacks.
    pub fn signature(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.signature = Signature::Bytes(bytes.as_ref().to_vec());
        self
    }

    /// The classic: `alg` spelled as given, and no signature.
    pub fn unsigned(self, alg: &str) -> Self {
        self.alg_header(alg).signature([])
    }

    /// The compact serialization.
    pub fn encode(&self) -> String {
        let [header, claims, signature] = self.segments();
        format!("{header}.{claims}.{signature}")
    }

    /// The compact serialization with one bit of the signature flipped.
    pub fn encode_spoiled(&self) -> String {
        let mut signature = self.sign(&self.signing_input());
        if let Some(byte) = signature.first_mut() {
            *byte ^= 1;
        }
        self.clone().signature(signature).encode()
    }

    /// The flattened JSON serialization, which no bearer token may use (TV-11).
    pub fn encode_json(&self) -> String {
        let [header, claims, signature] = self.segments();
        json!({"protected": header, "payload": claims, "signature": signature}).to_string()
    }

    /// The three segments.
    pub fn segments(&self) -> [String; 3] {
        let signature = self.sign(&self.signing_input());
        [
            base64url(self.header.text()),
            base64url(self.claims.text()),
            base64url(signature),
        ]
    }

    fn signing_input(&self) -> String {
        format!(
            "{}.{}",
            base64url(self.header.text()),
            base64url(self.claims.text())
        )
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        match &self.signature {
            Signature::Key(key) => key.sign(input.as_bytes()),
            Signature::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, input.as_bytes()).as_ref().to_vec()
            }
            Signature::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bartizan_core::FakeClock;

    use super::*;
    use crate::{Algorithm, TokenMint};

    fn mint() -> TokenMint {
        let clock = FakeClock::at(Duration::from_secs(1_800_000_000));
        TokenMint::new("https://as.example", "https://mcp.example/mcp").with_clock(clock)
    }

    fn text(token: &str, segment: usize) -> String {
        let segment = token.split('.').nth(segment).unwrap();
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
    }

    fn json(token: &str, segment: usize) -> Value {
        serde_json::from_str(&text(token, segment)).unwrap()
    }

    #[test]
    fn a_good_token_has_the_rfc_9068_claims_by_the_mints_clock() {
        let mint = mint();
        let token = mint.token().encode();
        let (header, claims) = (json(&token, 0), json(&token, 1));
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["alg"], "ES256");
        assert_eq!(header["kid"], mint.key(Algorithm::Es256).kid());
        assert_eq!(claims["iss"], "https://as.example");
        assert_eq!(claims["aud"], "https://mcp.example/mcp");
        assert_eq!(claims["iat"], 1_800_000_000);
        assert_eq!(claims["exp"], 1_800_000_300);
        for name in ["sub", "jti", "client_id"] {
            assert!(claims[name].is_string(), "{name}");
        }
        assert_ne!(claims["jti"], json(&mint.token().encode(), 1)["jti"]);
    }

    #[test]
    fn setters_replace_and_again_setters_duplicate() {
        let token = mint()
            .token()
            .sub("bob")
            .claim_again("sub", "root")
            .encode();
        let claims = text(&token, 1);
        assert_eq!(claims.matches(r#""sub":"#).count(), 2, "{claims}");
        assert!(claims.contains(r#""sub":"bob""#) && claims.contains(r#""sub":"root""#));
        assert!(!claims.contains("ann"));
    }

    #[test]
    fn deviations_reach_the_wire() {
        let token = mint()
            .token()
            .no_claim("aud")
            .expires_in(-100)
            .claim_text("nbf", "1e400")
            .unsigned("nOnE")
            .encode();
        assert!(token.ends_with('.'));
        assert!(text(&token, 1).contains(r#""nbf":1e400"#));
        assert!(!text(&token, 1).contains("aud"));
        assert!(text(&token, 1).contains("1799999900"));
        assert_eq!(json(&token, 0)["alg"], "nOnE");
    }

    #[test]
    fn a_spoiled_token_differs_only_in_its_signature() {
        let token = mint()
            .token()
            .signed_by(&SigningKey::shared(Algorithm::EdDsa));
        let (good, bad) = (token.encode(), token.encode_spoiled());
        assert_ne!(good, bad);
        assert_eq!(
            good.rsplit_once('.').unwrap().0,
            bad.rsplit_once('.').unwrap().0
        );
    }

    #[test]
    fn rotation_changes_every_published_key() {
        let mint = mint();
        let before = mint.jwks();
        mint.rotate();
        for key in mint.jwks().keys() {
            assert!(!before.keys().contains(key));
        }
    }
}

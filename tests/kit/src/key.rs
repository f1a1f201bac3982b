use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, prelude::*};
use serde_json::{Value, json};

/// The signature algorithms that the mint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "tests match on it")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// As written in a JOSE header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A private key with its key id. Clones share the key.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

#[derive(Clone)]
enum Pair {
    Rsa(Arc<RsaKeyPair>),
    Ec(Arc<EcdsaKeyPair>),
    Ed(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// A new key with a key id that no other key of this process has.
    pub fn generate(algorithm: Algorithm) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        let pair = match algorithm {
            Algorithm::Rs256 => {
                Pair::Rsa(Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
            }
            Algorithm::Es256 => Pair::Ec(Arc::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            )),
            Algorithm::EdDsa => Pair::Ed(Arc::new(Ed25519KeyPair::generate().unwrap())),
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            kid: format!("{}-{count}", algorithm.name().to_ascii_lowercase()),
            pair,
        }
    }

    /// One key per algorithm that the whole process shares, because RSA keys are dear to make.
    pub fn shared(algorithm: Algorithm) -> Self {
        static KEYS: LazyLock<[SigningKey; 3]> =
            LazyLock::new(|| Algorithm::ALL.map(SigningKey::generate));
        KEYS[algorithm as usize].clone()
    }

    /// The same key under another id.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into();
        self
    }

    /// Its key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::Rs256,
            Pair::Ec(_) => Algorithm::Es256,
            Pair::Ed(_) => Algorithm::EdDsa,
        }
    }

    /// A JWS signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public half as a JWK, with `kid`, `use` and `alg`.
    pub fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": b64(public.modulus().big_endian_without_leading_zero()),
                    "e": b64(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kty": "EC",
                    "crv": "P-256",
                    "x": b64(&point[1..33]),
                    "y": b64(&point[33..65]),
                })
            }
            Pair::Ed(pair) => json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": b64(pair.public_key().as_ref()),
            }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm().name());
        jwk
    }

    /// The public half as a JWK of its own members alone, and its thumbprint (RFC 7638).
    pub fn bare_jwk(&self) -> (Value, String) {
        let mut jwk = self.jwk();
        for member in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(member);
        }
        // Sorted, whatever features serde_json has in this graph; their text needs no escape.
        let sorted: BTreeMap<_, _> = jwk.as_object().unwrap().iter().collect();
        let digest = digest(&SHA256, serde_json::to_string(&sorted).unwrap().as_bytes());
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest);
        (jwk, thumbprint)
    }

    /// The public half as `SubjectPublicKeyInfo`.
    pub fn public_der(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    /// The public half as PEM: what an algorithm confusion attack takes for an HMAC secret (TV-5).
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.public_der())
    }

    /// The private half as PEM (PKCS #8).
    pub fn private_pem(&self) -> String {
        let der = match &self.pair {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                der.as_ref().to_vec()
            }
            Pair::Ec(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
        };
        pem("PRIVATE KEY", &der)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kid).finish()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    };

    use super::*;

    #[test]
    fn signatures_verify_under_the_key_that_is_published() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::shared(algorithm);
            let signature = key.sign(b"message");
            assert!(
                verifies(&key.jwk(), b"message", &signature),
                "{algorithm:?}"
            );
            assert!(!verifies(&key.jwk(), b"massage", &signature));
            let other = SigningKey::generate(algorithm);
            assert!(!verifies(&other.jwk(), b"message", &signature));
            assert_eq!(key.jwk()["alg"], algorithm.name());
        }
    }

    fn verifies(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
        let member = |name: &str| {
            let text = jwk[name].as_str().unwrap();
            BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let verified = match jwk["kty"].as_str().unwrap() {
            "RSA" => RsaPublicKeyComponents {
                n: member("n"),
                e: member("e"),
            }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature),
            "EC" => {
                let point = [vec![4], member("x"), member("y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            _ => UnparsedPublicKey::new(&ED25519, member("x")).verify(message, signature),
        };
        verified.is_ok()
    }

    #[test]
    fn the_pem_is_the_public_key() {
        let key = SigningKey::shared(Algorithm::Rs256);
        let pem = key.public_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = BASE64_STANDARD.decode(body).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der)
            .verify(b"message", &key.sign(b"message"))
            .unwrap();
    }

    #[test]
    fn generated_keys_differ_and_so_do_their_ids() {
        let (a, b) = (
            SigningKey::generate(Algorithm::Es256),
            SigningKey::generate(Algorithm::Es256),
        );
        assert_ne!(a.kid(), b.kid());
        assert_ne!(a.jwk()["x"], b.jwk()["x"]);
    }
}

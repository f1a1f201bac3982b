use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::json;

use crate::OAuthConfigError;

/// How a client assertion is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssertionAlgorithm {
    /// RSA with PKCS #1 v1.5 padding and SHA-256; 2048 bits at least.
    RS256,
    /// RSA with PSS padding and SHA-256; 2048 bits at least.
    PS256,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

/// Signs a client's assertions (RFC 7523 §2.2).
pub(crate) struct Signer {
    header: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// How long an assertion is good: it is sent at once.
const LIFETIME: Duration = Duration::from_secs(60);

impl Signer {
    pub(crate) fn new(
        algorithm: AssertionAlgorithm,
        key_id: Option<&str>,
        pem: &str,
    ) -> Result<Self, OAuthConfigError> {
        let error = |problem| OAuthConfigError::of("private_key_jwt", problem);
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| error("has no private key in PEM form (PKCS #8)"))?;
        let rejected = || error("has a key that is not one of its algorithm");
        let der = der.secret_pkcs8_der();
        let rsa = |padding| -> Result<Key, OAuthConfigError> {
            let key = RsaKeyPair::from_pkcs8(der).map_err(|_| rejected())?;
            if key.public_modulus_len() < 256 {
                return Err(error("has an RSA key below 2048 bits"));
            }
            Ok(Key::Rsa(key, padding))
        };
        let key = match algorithm {
            AssertionAlgorithm::RS256 => rsa(&RSA_PKCS1_SHA256)?,
            AssertionAlgorithm::PS256 => rsa(&RSA_PSS_SHA256)?,
            AssertionAlgorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .map(Key::Ecdsa)
                    .map_err(|_| rejected())?
            }
            AssertionAlgorithm::EdDSA => Ed25519KeyPair::from_pkcs8(der)
                .map(Key::Ed25519)
                .map_err(|_| rejected())?,
        };
        let mut header = json!({ "alg": algorithm.name(), "typ": "JWT" });
        if let (Some(key_id), Some(members)) = (key_id, header.as_object_mut()) {
            members.insert("kid".into(), key_id.into());
        }
        Ok(Self {
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
            key,
        })
    }

    /// An assertion of this client for this audience; `None` if there is no randomness.
    pub(crate) fn sign(&self, client: &str, audience: &str, now: Duration) -> Option<String> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let claims = json!({
            "iss": client,
            "sub": client,
            "aud": audience,
            "jti": URL_SAFE_NO_PAD.encode(id),
            "iat": now.as_secs(),
            "exp": now.saturating_add(LIFETIME).as_secs(),
        });
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let message = format!("{}.{claims}", self.header);
        let signature = self.signature(message.as_bytes())?;
        Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Key::Ecdsa(key) => Some(key.sign(&random, message).ok()?.as_ref().to_vec()),
            Key::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
        }
    }
}

impl AssertionAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }
}

use aws_lc_rs::{
    encoding::AsDer,
    hmac, rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
        RsaPublicKeyComponents, VerificationAlgorithm,
    },
};

use super::Material;
use crate::Algorithm;

/// A key ready to check signatures of its one algorithm.
pub(crate) enum PreparedKey {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

impl PreparedKey {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Option<Self> {
        let parsed = match material {
            Material::Shared(secret) => {
                let key = || hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
                return (algorithm == Algorithm::HS256).then(|| Self::Shared(Box::new(key())));
            }
            Material::Rsa { n, e } => {
                let der = RsaPublicKeyComponents { n, e }.as_der().ok()?;
                ParsedPublicKey::new(scheme(algorithm)?, der.as_ref())
            }
            Material::Ec(bytes) | Material::Ed25519(bytes) => {
                ParsedPublicKey::new(scheme(algorithm)?, bytes)
            }
        };
        parsed.ok().map(Self::Public)
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Shared(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn scheme(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &ED25519,
        Algorithm::HS256 => return None,
    })
}

/// Modulus and exponent of a PKCS#1 public key.
pub(crate) fn rsa_components(pkcs1: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let key = rsa::PublicKey::from_der(pkcs1).ok()?;
    let parts = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
    Some((parts.n, parts.e))
}

use jsonwebtoken::{DecodingKey, crypto::rust_crypto::DEFAULT_PROVIDER};

use super::Material;
use crate::Algorithm;

/// The backend refuses every signature of a larger RSA key, so such a key is not taken at all.
const MAX_MODULUS_BYTES: usize = 512;

/// A key ready to check signatures of its one algorithm.
///
/// The backend's verifier is not `Send`, so it is built anew for each signature.
pub(crate) struct PreparedKey {
    algorithm: jsonwebtoken::Algorithm,
    key: DecodingKey,
}

impl PreparedKey {
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Option<Self> {
        let is_hmac = algorithm == Algorithm::HS256;
        let key = match material {
            Material::Shared(secret) if is_hmac => DecodingKey::from_secret(secret.expose()),
            // No public key may be taken for a secret, nor the other way round.
            Material::Shared(_) => return None,
            _ if is_hmac => return None,
            Material::Rsa { n, .. } if n.len() > MAX_MODULUS_BYTES => return None,
            Material::Rsa { n, e } => DecodingKey::from_rsa_raw_components(n, e),
            Material::Ec(point) => DecodingKey::from_ec_der(point),
            Material::Ed25519(bytes) => DecodingKey::from_ed_der(bytes),
        };
        let algorithm = foreign(algorithm);
        (DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).ok()?;
        Some(Self { algorithm, key })
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm, &self.key)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

fn foreign(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    use jsonwebtoken::Algorithm as Foreign;
    match algorithm {
        Algorithm::RS256 => Foreign::RS256,
        Algorithm::RS384 => Foreign::RS384,
        Algorithm::RS512 => Foreign::RS512,
        Algorithm::PS256 => Foreign::PS256,
        Algorithm::PS384 => Foreign::PS384,
        Algorithm::PS512 => Foreign::PS512,
        Algorithm::ES256 => Foreign::ES256,
        Algorithm::ES384 => Foreign::ES384,
        Algorithm::EdDSA => Foreign::EdDSA,
        Algorithm::HS256 => Foreign::HS256,
    }
}

/// Modulus and exponent of a PKCS#1 public key.
pub(crate) fn rsa_components(pkcs1: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    (DEFAULT_PROVIDER
        .key_utils
        .rsa_pub_components_from_public_key)(pkcs1)
    .ok()
}

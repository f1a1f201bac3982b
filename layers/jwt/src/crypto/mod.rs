//! Signatures. Keys are prepared once, when a key set is read.
//!
//! `jsonwebtoken` chooses its backend once for a whole process, by the features of everybody in
//! the dependency graph. That choice is the application's, so it is neither consulted nor
//! influenced: aws-lc-rs is called directly, which leaves `jsonwebtoken` without a backend by
//! default, and the other backend's factory is called by name.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "aws-lc-rs")]
pub(crate) use aws_lc::{PreparedKey, rsa_components};

#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc-rs"))))]
mod rust_crypto;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc-rs")))]
pub(crate) use rust_crypto::{PreparedKey, rsa_components};

#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
mod none;
#[cfg(not(any(feature = "aws-lc-rs", feature = "rust-crypto")))]
pub(crate) use none::{PreparedKey, rsa_components};

/// Whether signatures can be checked at all.
pub(crate) const AVAILABLE: bool = cfg!(any(feature = "aws-lc-rs", feature = "rust-crypto"));

/// The public half of a key, its parts already checked for size.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "aws-lc-rs", feature = "rust-crypto")),
    allow(dead_code, reason = "nothing reads it without a backend")
)]
pub(crate) enum Material {
    /// Modulus and exponent, big endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: `04 || x || y`.
    Ec(Vec<u8>),
    /// The 32 bytes of an Ed25519 key.
    Ed25519(Vec<u8>),
}

#[cfg(all(test, feature = "aws-lc-rs", feature = "rust-crypto"))]
mod tests {
    use bartizan_kit::{Algorithm as Alg, SigningKey};
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::Algorithm;

    #[test]
    fn both_backends_agree_on_good_and_spoiled_signatures() {
        for (alg, algorithm) in [
            (Alg::Rs256, Algorithm::RS256),
            (Alg::Es256, Algorithm::ES256),
            (Alg::EdDsa, Algorithm::EdDSA),
        ] {
            let key = SigningKey::shared(alg);
            let jwk = key.jwk();
            let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
            let material = match alg {
                Alg::Rs256 => Material::Rsa {
                    n: part("n"),
                    e: part("e"),
                },
                Alg::Es256 => Material::Ec([vec![4], part("x"), part("y")].concat()),
                Alg::EdDsa => Material::Ed25519(part("x")),
            };
            let one = aws_lc::PreparedKey::new(algorithm, &material).unwrap();
            let other = rust_crypto::PreparedKey::new(algorithm, &material).unwrap();
            let good = key.sign(b"message");
            let mut spoiled = good.clone();
            spoiled[10] ^= 1;
            for (signature, expected) in [(good, true), (spoiled, false), (vec![0; 64], false)] {
                assert_eq!(one.verifies(b"message", &signature), expected);
                assert_eq!(other.verifies(b"message", &signature), expected);
            }
        }
    }

    #[test]
    fn both_backends_read_the_same_parts_of_an_rsa_key() {
        let pem = SigningKey::shared(Alg::Rs256).public_pem();
        let key = jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        let der = key.try_get_as_bytes().unwrap();
        assert!(rsa_components(der).is_some());
        assert_eq!(rsa_components(der), rust_crypto::rsa_components(der));
    }
}

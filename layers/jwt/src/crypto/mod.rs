//! Signatures. Keys are prepared once, when a key set is read.
//!
//! `jsonwebtoken` chooses its backend once for a whole process, by the features of everybody in
//! the dependency graph. That choice is the application's, so it is neither consulted nor
//! influenced: aws-lc-rs is called directly, which leaves `jsonwebtoken` without a backend by
//! default, and the other backend's factory is called by name.

use bartizan_core::Secret;

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

/// The public half of a key, or a secret that is shared, its parts already checked for size.
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
    /// What both sides of an HMAC know.
    Shared(Secret),
}

impl Material {
    /// Whether both are one public key. Secrets are not compared.
    pub(crate) fn is_same_public_key(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rsa { n, e }, Self::Rsa { n: m, e: f }) => n == m && e == f,
            (Self::Ec(one), Self::Ec(two)) | (Self::Ed25519(one), Self::Ed25519(two)) => one == two,
            _ => false,
        }
    }
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
    fn both_backends_agree_on_hmac() {
        let secret = bartizan_core::Secret::from(vec![7; 32]);
        let material = Material::Shared(secret.clone());
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.expose());
        let good = aws_lc_rs::hmac::sign(&key, b"m").as_ref().to_vec();
        let mut spoiled = good.clone();
        spoiled[0] ^= 1;
        let one = aws_lc::PreparedKey::new(Algorithm::HS256, &material).unwrap();
        let other = rust_crypto::PreparedKey::new(Algorithm::HS256, &material).unwrap();
        let cut = good[..16].to_vec();
        for (signature, expected) in [
            (good, true),
            (spoiled, false),
            (cut, false),
            (vec![], false),
        ] {
            assert_eq!(one.verifies(b"m", &signature), expected);
            assert_eq!(other.verifies(b"m", &signature), expected);
        }
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(aws_lc::PreparedKey::new(algorithm, &material).is_none());
            assert!(rust_crypto::PreparedKey::new(algorithm, &material).is_none());
        }
    }

    #[test]
    fn the_backend_that_verifies_no_larger_rsa_key_than_4096_bits_takes_none() {
        let material = |bytes: usize| Material::Rsa {
            n: vec![0xff; bytes],
            e: vec![1, 0, 1],
        };
        let takes = |bytes| {
            (
                aws_lc::PreparedKey::new(Algorithm::RS256, &material(bytes)).is_some(),
                rust_crypto::PreparedKey::new(Algorithm::RS256, &material(bytes)).is_some(),
            )
        };
        assert_eq!(takes(512), (true, true));
        assert_eq!(takes(513), (true, false));
    }

    #[test]
    fn tv_5_both_backends_check_every_other_algorithm_and_take_none_for_another() {
        use aws_lc_rs::{encoding::AsDer, rand::SystemRandom, rsa, signature as s};
        let random = SystemRandom::new();
        let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let public = s::KeyPair::public_key(&rsa).as_der().unwrap();
        let (n, e) = rust_crypto::rsa_components(
            jsonwebtoken::DecodingKey::from_rsa_pem(pem("PUBLIC KEY", public.as_ref()).as_bytes())
                .unwrap()
                .try_get_as_bytes()
                .unwrap(),
        )
        .unwrap();
        let rsa_key = Material::Rsa { n, e };
        let ec = s::EcdsaKeyPair::generate(&s::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let ec_key = Material::Ec(s::KeyPair::public_key(&ec).as_ref().to_vec());
        let sign = |padding: &'static dyn s::RsaEncoding| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(padding, &random, b"m", &mut signature).unwrap();
            signature
        };
        let signed = [
            (Algorithm::RS256, &rsa_key, sign(&s::RSA_PKCS1_SHA256)),
            (Algorithm::RS384, &rsa_key, sign(&s::RSA_PKCS1_SHA384)),
            (Algorithm::RS512, &rsa_key, sign(&s::RSA_PKCS1_SHA512)),
            (Algorithm::PS256, &rsa_key, sign(&s::RSA_PSS_SHA256)),
            (Algorithm::PS384, &rsa_key, sign(&s::RSA_PSS_SHA384)),
            (Algorithm::PS512, &rsa_key, sign(&s::RSA_PSS_SHA512)),
            (
                Algorithm::ES384,
                &ec_key,
                ec.sign(&random, b"m").unwrap().as_ref().to_vec(),
            ),
        ];
        for (own, key, _) in &signed {
            let one = aws_lc::PreparedKey::new(*own, key).unwrap();
            let other = rust_crypto::PreparedKey::new(*own, key).unwrap();
            for (algorithm, _, signature) in &signed {
                let name = format!("{algorithm} as {own}");
                assert_eq!(one.verifies(b"m", signature), algorithm == own, "{name}");
                assert_eq!(other.verifies(b"m", signature), algorithm == own, "{name}");
            }
        }
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let body = lines.join("\n");
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
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

use jsonwebtoken::DecodingKey;

use super::{jwk, set::Key};
use crate::{
    Algorithm,
    algorithm::Family,
    crypto::{Material, PreparedKey, rsa_components},
};

/// Reads a public key in PEM form (`PUBLIC KEY`, or `RSA PUBLIC KEY`).
///
/// The label is checked here, because the decoder would take a private key for its public half.
pub(crate) fn from_pem(
    kid: Option<String>,
    algorithm: Algorithm,
    pem: &str,
) -> Result<Key, &'static str> {
    if pem.contains("PRIVATE") {
        return Err("holds a private key");
    }
    let labels = [
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN RSA PUBLIC KEY-----",
    ];
    let begins = pem.matches("-----BEGIN ").count();
    if begins != 1 || !labels.iter().any(|label| pem.contains(label)) {
        return Err("is not one public key in PEM form");
    }
    let material = material(algorithm.family(), pem.as_bytes())?;
    let prepared = PreparedKey::new(algorithm, &material).ok_or("is no valid key")?;
    Ok(Key {
        kid,
        algorithm,
        prepared,
    })
}

fn material(family: Family, pem: &[u8]) -> Result<Material, &'static str> {
    const MISFIT: &str = "is no key of the algorithm's type";
    let bytes = |key: Result<DecodingKey, _>| match key {
        Ok(key) => key
            .try_get_as_bytes()
            .map(<[u8]>::to_vec)
            .map_err(|_| MISFIT),
        Err(_) => Err(MISFIT),
    };
    match family {
        Family::Rsa => {
            let pkcs1 = bytes(DecodingKey::from_rsa_pem(pem))?;
            let (n, e) = rsa_components(&pkcs1).ok_or(MISFIT)?;
            jwk::rsa(&n, &e).map_err(|_| "is too weak or too large")
        }
        Family::P256 | Family::P384 => {
            let point = bytes(DecodingKey::from_ec_pem(pem))?;
            let size = if family == Family::P256 { 65 } else { 97 };
            (point.len() == size && point.first() == Some(&4))
                .then_some(Material::Ec(point))
                .ok_or(MISFIT)
        }
        Family::Ed25519 => jwk::ed25519(bytes(DecodingKey::from_ed_pem(pem))?).map_err(|_| MISFIT),
        Family::Hmac => Err(MISFIT),
    }
}

#[cfg(test)]
mod tests {
    use bartizan_kit::{Algorithm as Alg, SigningKey};

    use super::*;

    #[test]
    fn public_keys_are_read_for_their_own_algorithm_only() {
        for (alg, own) in [
            (Alg::Rs256, Algorithm::RS256),
            (Alg::Es256, Algorithm::ES256),
            (Alg::EdDsa, Algorithm::EdDSA),
        ] {
            let key = SigningKey::shared(alg);
            let read = from_pem(None, own, &key.public_pem()).unwrap();
            assert!(read.prepared.verifies(b"m", &key.sign(b"m")));
            assert!(!read.prepared.verifies(b"n", &key.sign(b"m")));
            for other in [
                Algorithm::RS256,
                Algorithm::ES256,
                Algorithm::ES384,
                Algorithm::EdDSA,
            ] {
                let misfits = from_pem(None, other, &key.public_pem()).is_err();
                assert_eq!(misfits, other != own, "{own} as {other}");
            }
        }
    }

    #[test]
    fn private_keys_certificates_and_bundles_are_refused() {
        let public = SigningKey::shared(Alg::Es256).public_pem();
        for pem in [
            public.replace("PUBLIC", "PRIVATE"),
            public.replace("PUBLIC", "EC PRIVATE"),
            public.replace("PUBLIC KEY", "CERTIFICATE"),
            format!("{public}{public}"),
            String::new(),
            "secret".into(),
            "-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n".into(),
        ] {
            assert!(from_pem(None, Algorithm::ES256, &pem).is_err(), "{pem}");
        }
    }
}

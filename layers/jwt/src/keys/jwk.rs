use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::set::Key;
use crate::{
    Algorithm,
    algorithm::Family,
    crypto::{Material, PreparedKey},
};

/// Why a JWK is not used.
pub(crate) type Unusable = &'static str;

pub(super) const PRIVATE: Unusable = "it holds private key material";

/// Reads one public signature key (RFC 7517), with the one algorithm it is for.
///
/// A key that names no algorithm is for the only one its type has, and an RSA key for the one RSA
/// algorithm that is allowed, or RS256 if several are.
pub(crate) fn read(jwk: &Value, allowed: &[Algorithm]) -> Result<Key, Unusable> {
    read_with_material(jwk, allowed).map(|(key, _)| key)
}

/// The same, with what tells whether two keys are one.
pub(super) fn read_with_material(
    jwk: &Value,
    allowed: &[Algorithm],
) -> Result<(Key, Material), Unusable> {
    let jwk = jwk.as_object().ok_or("it is no object")?;
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    if private.iter().any(|member| jwk.contains_key(*member)) {
        return Err(PRIVATE);
    }
    let kid = match jwk.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= 1024 => Some(kid.clone()),
        Some(_) => return Err("its id is no string of reasonable length"),
    };
    if jwk.get("use").is_some_and(|usage| usage != "sig") {
        return Err("it is not for signatures");
    }
    if jwk.get("key_ops").is_some_and(|ops| !may_verify(ops)) {
        return Err("it is not for verifying");
    }
    let (family, material) = material(jwk)?;
    let algorithm = algorithm(jwk, family, allowed)?;
    let prepared = PreparedKey::new(algorithm, &material).ok_or("it is no valid key")?;
    let key = Key {
        kid,
        algorithm,
        prepared,
    };
    Ok((key, material))
}

fn may_verify(ops: &Value) -> bool {
    ops.as_array()
        .is_some_and(|ops| ops.iter().any(|op| op == "verify"))
}

fn algorithm(
    jwk: &Map<String, Value>,
    family: Family,
    allowed: &[Algorithm],
) -> Result<Algorithm, Unusable> {
    let mut candidates = allowed.iter().copied().filter(|a| a.family() == family);
    let algorithm = match jwk.get("alg") {
        Some(Value::String(name)) => candidates.find(|a| a.name() == name),
        Some(_) => None,
        None => match (candidates.next(), candidates.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => Some(Algorithm::RS256).filter(|a| allowed.contains(a)),
            (None, _) => None,
        },
    };
    algorithm.ok_or("its algorithm is not allowed, or does not fit its type")
}

fn material(jwk: &Map<String, Value>) -> Result<(Family, Material), Unusable> {
    let text = |member| jwk.get(member).and_then(Value::as_str);
    let bytes = |member| {
        text(member)
            .and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok())
            .ok_or("a member is missing or not base64url")
    };
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => Ok((Family::Rsa, rsa(&bytes("n")?, &bytes("e")?)?)),
        (Some("EC"), Some("P-256")) => Ok((Family::P256, point(32, &bytes("x")?, &bytes("y")?)?)),
        (Some("EC"), Some("P-384")) => Ok((Family::P384, point(48, &bytes("x")?, &bytes("y")?)?)),
        (Some("OKP"), Some("Ed25519")) => Ok((Family::Ed25519, ed25519(bytes("x")?)?)),
        _ => Err("its type or curve is not supported"),
    }
}

/// An RSA key of 2048 to 8192 bits with an odd exponent of at least 65537.
pub(super) fn rsa(n: &[u8], e: &[u8]) -> Result<Material, Unusable> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("its modulus is not of 2048 to 8192 bits");
    }
    let exponent = e
        .iter()
        .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if e.len() > 4 || exponent < 65_537 || exponent % 2 == 0 {
        return Err("its exponent is too small, too large or even");
    }
    Ok(Material::Rsa {
        n: n.to_vec(),
        e: e.to_vec(),
    })
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn point(size: usize, x: &[u8], y: &[u8]) -> Result<Material, Unusable> {
    if x.len() != size || y.len() != size {
        return Err("a coordinate is not of the curve's size");
    }
    Ok(Material::Ec([&[4], x, y].concat()))
}

pub(super) fn ed25519(x: Vec<u8>) -> Result<Material, Unusable> {
    if x.len() != 32 {
        return Err("the key is not of 32 bytes");
    }
    Ok(Material::Ed25519(x))
}

#[cfg(test)]
mod tests {
    use bartizan_kit::{Algorithm as Alg, SigningKey};
    use serde_json::json;

    use super::*;

    fn with(alg: Alg, member: &str, value: Value) -> Result<Key, Unusable> {
        let mut jwk = SigningKey::shared(alg).jwk();
        jwk[member] = value;
        read(&jwk, &Algorithm::DEFAULT)
    }

    #[test]
    fn seed_a8_a_key_for_encryption_verifies_nothing() {
        assert!(with(Alg::Rs256, "use", json!("sig")).is_ok());
        for wrong in [json!("enc"), json!("SIG"), json!(null), json!(["sig"])] {
            assert!(with(Alg::Rs256, "use", wrong).is_err());
        }
        assert!(with(Alg::Rs256, "key_ops", json!(["verify"])).is_ok());
        for wrong in [json!(["encrypt"]), json!([]), json!("verify"), json!(null)] {
            assert!(with(Alg::Rs256, "key_ops", wrong).is_err());
        }
    }

    #[test]
    fn tv_5_the_algorithm_fits_type_and_allowlist() {
        for (alg, name) in [
            (Alg::Rs256, "ES256"),
            (Alg::Rs256, "HS256"),
            (Alg::Rs256, "none"),
            (Alg::Rs256, "RS512"),
            (Alg::Es256, "ES384"),
            (Alg::Es256, "RS256"),
            (Alg::EdDsa, "ES256"),
        ] {
            assert!(with(alg, "alg", json!(name)).is_err(), "{name}");
        }
        assert_eq!(
            with(Alg::Rs256, "alg", json!("PS256")).unwrap().algorithm,
            Algorithm::PS256
        );
    }

    #[test]
    fn an_rsa_key_without_algorithm_is_for_rs256_or_the_only_one_allowed() {
        let mut jwk = SigningKey::shared(Alg::Rs256).jwk();
        jwk.as_object_mut().unwrap().remove("alg");
        let bound = |allowed: &[_]| read(&jwk, allowed).map(|key| key.algorithm);
        assert_eq!(bound(&Algorithm::DEFAULT), Ok(Algorithm::RS256));
        assert_eq!(
            bound(&[Algorithm::PS256, Algorithm::ES256]),
            Ok(Algorithm::PS256)
        );
        assert!(bound(&[Algorithm::PS256, Algorithm::PS384]).is_err());
        assert!(bound(&[Algorithm::ES256]).is_err());
    }

    #[test]
    fn weak_malformed_and_private_keys_are_not_used() {
        let weak = URL_SAFE_NO_PAD.encode([0xff; 128]);
        assert!(with(Alg::Rs256, "n", json!(weak)).is_err());
        for e in ["AQ", "Aw", "AQAA", "", "AQAAAAAB", "AQAB="] {
            assert!(with(Alg::Rs256, "e", json!(e)).is_err(), "{e}");
        }
        assert!(with(Alg::Es256, "x", json!("AAAA")).is_err());
        let off_curve = URL_SAFE_NO_PAD.encode([1; 32]);
        assert!(with(Alg::Es256, "x", json!(off_curve)).is_err());
        assert!(with(Alg::Es256, "crv", json!("P-384")).is_err());
        assert!(with(Alg::EdDsa, "x", json!("AAAA")).is_err());
        assert!(with(Alg::EdDsa, "crv", json!("X25519")).is_err());
        assert_eq!(with(Alg::Es256, "d", json!("AA")).err(), Some(PRIVATE));
        assert!(with(Alg::Es256, "kid", json!(7)).is_err());
    }
}

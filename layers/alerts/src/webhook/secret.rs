use std::fmt;

use bartizan_core::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::refused;
use crate::AlertsConfigError;

/// The secret that sender and receiver of a webhook share. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct WebhookSecret(Secret);

/// As the specification writes it.
const PREFIX: &str = "whsec_";

/// 192 to 512 bits, as the specification says.
const LEAST: usize = 24;
const MOST: usize = 64;

impl WebhookSecret {
    /// Reads `whsec_` and Base64: `echo whsec_$(openssl rand -base64 32)` makes one.
    ///
    /// # Errors
    ///
    /// If it is not written so, or does not have 24 to 64 bytes.
    pub fn parse(text: &str) -> Result<Self, AlertsConfigError> {
        let secret = text.trim().strip_prefix(PREFIX);
        let bytes = secret.and_then(|secret| STANDARD.decode(secret).ok());
        match bytes {
            Some(bytes) => Self::from_bytes(bytes),
            None => Err(refused("secret", "is not `whsec_` and Base64")),
        }
    }

    /// The secret's own bytes, which a random generator of the system should have made.
    ///
    /// # Errors
    ///
    /// If they are not 24 to 64.
    pub fn from_bytes(bytes: impl Into<Secret>) -> Result<Self, AlertsConfigError> {
        let bytes = bytes.into();
        if !(LEAST..=MOST).contains(&bytes.expose().len()) {
            return Err(refused("secret", "does not have 24 to 64 bytes"));
        }
        Ok(Self(bytes))
    }

    pub(super) fn key(&self) -> Result<Hmac<Sha256>, AlertsConfigError> {
        let key = Hmac::new_from_slice(self.0.expose());
        key.map_err(|_| refused("secret", "is not accepted"))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// What a delivery is signed with.
pub(super) struct Signers(pub(super) Vec<Hmac<Sha256>>);

impl Signers {
    /// One signature for each secret, so that receivers may know either while it changes.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let signed = self.0.iter().map(|key| {
            let mark = mac(key, id, &timestamp, body).finalize().into_bytes();
            format!("v1,{}", STANDARD.encode(mark))
        });
        signed.collect::<Vec<_>>().join(" ")
    }
}

/// Over `id.timestamp.body`.
pub(super) fn mac(key: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the specification's own libraries test.
    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let secret = WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let signers = Signers(vec![secret.key().unwrap()]);
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            signers.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn a_secret_that_is_weak_or_unreadable_is_refused_without_being_shown() {
        for bad in [
            "",
            "whsec_",
            "whsec_****",
            "whsec_dG9vIHNob3J0",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        ] {
            let error = WebhookSecret::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with("webhook `secret`"), "{error}");
            assert!(bad.len() < 8 || !error.contains(&bad[6..]), "{error}");
        }
        assert!(WebhookSecret::from_bytes(vec![0; 65]).is_err());
        let good = WebhookSecret::from_bytes(vec![7; 24]).unwrap();
        assert_eq!(format!("{good:?}"), "WebhookSecret(..)");
    }
}

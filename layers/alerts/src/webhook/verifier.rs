use std::{error::Error, fmt, sync::Arc, time::Duration};

use bartizan_core::{Clock, SystemClock};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use super::{ID, SIGNATURE, TIMESTAMP, WebhookSecret, refused as bad_config, secret::mac};
use crate::AlertsConfigError;

/// Tells whether a webhook is of whoever has the secret, and of now: for receivers of [`Webhook`](super::Webhook)s, and of any
/// other that is signed as Standard Webhooks 1.0 says.
///
/// The body is that which came, byte for byte, and is not to be read before.
///
/// ```
/// use bartizan_alerts::{WebhookSecret, WebhookVerifier};
/// use http::HeaderMap;
///
/// let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let verifier = WebhookVerifier::new(secret)?;
/// // No: nobody signed it.
/// assert!(verifier.verify(&HeaderMap::new(), b"{}").is_err());
/// # Ok::<(), bartizan_alerts::AlertsConfigError>(())
/// ```
pub struct WebhookVerifier {
    keys: Vec<Hmac<Sha256>>,
    tolerance: Duration,
    clock: Arc<dyn Clock>,
}

/// A webhook that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedWebhook<'a> {
    /// Its `webhook-id`. Whoever remembers it for twice the tolerance takes nothing twice.
    pub id: &'a str,
    /// When it was sent, in seconds since the Unix epoch.
    pub timestamp: u64,
}

/// A webhook that is not of whoever has the secret, or not of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookRefused {
    reason: &'static str,
}

/// As the libraries of the specification have it.
const TOLERANCE: Duration = Duration::from_secs(300);

const MOST_KEYS: usize = 4;

/// Signatures that are looked at.
const MOST_SIGNATURES: usize = 8;

const ID_BYTES: usize = 256;

impl WebhookVerifier {
    /// By the secret that the sender has.
    ///
    /// # Errors
    ///
    /// If it is not accepted.
    pub fn new(secret: WebhookSecret) -> Result<Self, AlertsConfigError> {
        Ok(Self {
            keys: vec![secret.key()?],
            tolerance: TOLERANCE,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// By another secret as well, while the sender goes over from one to another.
    ///
    /// # Errors
    ///
    /// If it is the fifth.
    pub fn or(mut self, secret: WebhookSecret) -> Result<Self, AlertsConfigError> {
        if self.keys.len() == MOST_KEYS {
            return Err(bad_config("secret", "is one more than 4"));
        }
        self.keys.push(secret.key()?);
        Ok(self)
    }

    /// How old a webhook may be, and how far ahead of this clock; 5 minutes by default, from 1 s to an hour.
    ///
    /// # Errors
    ///
    /// If it is out of range.
    pub fn tolerance(mut self, tolerance: Duration) -> Result<Self, AlertsConfigError> {
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&tolerance) {
            let shown = format!("tolerance {tolerance:?}");
            return Err(bad_config(shown, "is not from 1 s to 1 h"));
        }
        self.tolerance = tolerance;
        Ok(self)
    }

    /// Reads the time from another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What is known of a webhook, if it is good. Signatures are compared in constant time.
    ///
    /// # Errors
    ///
    /// If a field is missing, there twice or unreadable; no signature is of a secret; or it was sent at another time.
    pub fn verify<'a>(
        &self,
        headers: &'a HeaderMap,
        body: &[u8],
    ) -> Result<VerifiedWebhook<'a>, WebhookRefused> {
        let id = only(headers, ID)?;
        // A dot would let another message have the same signature.
        let is_id = |b: u8| b.is_ascii_graphic() && b != b'.';
        if !(1..=ID_BYTES).contains(&id.len()) || !id.bytes().all(is_id) {
            return Err(refused("the id cannot be read"));
        }
        let text = only(headers, TIMESTAMP)?;
        let timestamp = seconds(text).ok_or(refused("the timestamp cannot be read"))?;
        let signatures = only(headers, SIGNATURE)?;
        if !self.is_signed(signatures, id, text, body) {
            return Err(refused("no signature is valid"));
        }
        let sent = Duration::from_secs(timestamp);
        let now = Duration::from_secs(self.clock.wall().as_secs());
        if sent.abs_diff(now) > self.tolerance {
            return Err(refused("it is too old, or of the future"));
        }
        Ok(VerifiedWebhook { id, timestamp })
    }

    /// Every key and every signature counts, be an earlier one good.
    fn is_signed(&self, signatures: &str, id: &str, timestamp: &str, body: &[u8]) -> bool {
        let marks = signatures.split(' ').take(MOST_SIGNATURES);
        // Others are of schemes that are not known here.
        let marks = marks.filter_map(|mark| mark.strip_prefix("v1,"));
        let marks: Vec<_> = marks
            .filter_map(|mark| STANDARD.decode(mark).ok())
            .collect();
        let mut is_good = Choice::from(0);
        for key in &self.keys {
            let good = mac(key, id, timestamp, body).finalize().into_bytes();
            for mark in &marks {
                is_good |= good.as_slice().ct_eq(mark);
            }
        }
        is_good.into()
    }
}

impl fmt::Debug for WebhookVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookVerifier")
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

/// The field, if it is there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, WebhookRefused> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value
            .to_str()
            .map_err(|_| refused("a field has other characters than visible ones")),
        (None, _) => Err(refused("a field is missing")),
        (Some(_), Some(_)) => Err(refused("a field is there twice")),
    }
}

/// Decimal digits in their one spelling.
fn seconds(text: &str) -> Option<u64> {
    let is_number = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let is_one_spelling = text == "0" || !text.starts_with('0');
    (is_number && is_one_spelling).then(|| text.parse().ok())?
}

fn refused(reason: &'static str) -> WebhookRefused {
    WebhookRefused { reason }
}

impl WebhookRefused {
    /// Why, for the operator.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl fmt::Display for WebhookRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl Error for WebhookRefused {}

#[cfg(test)]
mod tests;

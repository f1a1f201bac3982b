use std::{error::Error, fmt, sync::Arc, time::Duration};

use bartizan_core::{
    Clock, Secret, SystemClock,
    auth::{NotRevoked, Revocations},
};
use bartizan_token::json;
use serde_json::{Map, Value};

use crate::{
    Algorithm, JwtConfigError,
    crypto::{Material, PreparedKey},
};

/// Reads the webhooks by which WorkOS tells that a session has ended.
///
/// The route that receives them is the application's, and stands outside of the layers. It hands over
/// the field `WorkOS-Signature` and the body as it came, and revokes what is said to have ended:
///
/// ```
/// use std::time::Duration;
/// use bartizan_core::auth::Revocations;
/// use bartizan_jwt::WorkosWebhooks;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let revocations = Revocations::new(); // which the verifier was built with
/// let webhooks = WorkosWebhooks::new("the secret of the webhook".to_owned())?;
/// let receive = |signature: &str, body: &[u8]| match webhooks.read(signature, body) {
///     Ok(Some(ended)) => {
///         let longest = Duration::from_secs(3600); // that a token is good
///         match ended.revoke(&revocations, "https://example.authkit.app", longest) {
///             Ok(()) => 200,
///             Err(_full) => 503, // WorkOS tries again
///         }
///     }
///     Ok(None) => 200, // of something else
///     Err(_) => 400,
/// };
/// assert_eq!(receive("t=1, v1=00", b"{}"), 400);
/// # Ok(())
/// # }
/// ```
pub struct WorkosWebhooks {
    key: PreparedKey,
    clock: Arc<dyn Clock>,
}

/// A session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSession {
    /// Its id, which its tokens have in their claim `sid`. Tokens of WorkOS Connect, which MCP clients
    /// get, have the id of the user's consent there instead: revoke those by the user.
    pub session: String,
    /// Whose it was: the claim `sub`.
    pub user: String,
    /// The organization that it was for, if any.
    pub organization: Option<String>,
}

/// A webhook that is not WorkOS's, or not of now, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookRefused {
    reason: &'static str,
}

/// How old a webhook may be, and how far ahead of this clock: as WorkOS's own libraries have it.
const TOLERANCE: Duration = Duration::from_secs(180);

/// Far beyond what is sent of one session.
const MAX_BODY_BYTES: usize = 256 * 1024;

const LEAST_SECRET_BYTES: usize = 16;

const MAX_ID_BYTES: usize = 256;

impl WorkosWebhooks {
    /// By the secret of the webhook endpoint, from the WorkOS dashboard.
    ///
    /// # Errors
    ///
    /// If the secret is below 16 bytes, or the crate has none of its signature backends.
    pub fn new(secret: impl Into<Secret>) -> Result<Self, JwtConfigError> {
        const SETTING: &str = "workos webhook secret";
        let secret = secret.into();
        if secret.expose().len() < LEAST_SECRET_BYTES {
            return Err(JwtConfigError::of(SETTING, "is below 16 bytes"));
        }
        let key = PreparedKey::new(Algorithm::HS256, &Material::Shared(secret));
        Ok(Self {
            key: key.ok_or_else(|| JwtConfigError::of(SETTING, "is not accepted"))?,
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// Reads the time from another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The session that a webhook says has ended; `None` if it is of another event.
    ///
    /// `signature` is the one field `WorkOS-Signature`: `t=…, v1=…`, a time in milliseconds and, in hex,
    /// the HMAC-SHA256 of that time, a dot, and the body. It is compared in constant time, and before
    /// anything of the body is read. The same webhook again changes nothing.
    ///
    /// # Errors
    ///
    /// If the signature is not WorkOS's, it was made more than 180 s from now, or the body is no event.
    pub fn read(
        &self,
        signature: &str,
        body: &[u8],
    ) -> Result<Option<EndedSession>, WebhookRefused> {
        if body.len() > MAX_BODY_BYTES {
            return Err(refused("the body is too long"));
        }
        let (time, mark) = fields(signature).ok_or(refused("the signature cannot be read"))?;
        let message = [time.as_bytes(), b".", body].concat();
        if !self.key.verifies(&message, &mark) {
            return Err(refused("the signature is not valid"));
        }
        let made = time.parse().map(Duration::from_millis);
        let made = made.map_err(|_| refused("the signature has no time"))?;
        if made.abs_diff(self.clock.wall()) > TOLERANCE {
            return Err(refused("the signature is too old, or of the future"));
        }
        let event = json::object(body).map_err(|_| refused("not one unambiguous JSON object"))?;
        match event.get("event").and_then(Value::as_str) {
            Some("session.revoked") => {}
            Some(_) => return Ok(None),
            None => return Err(refused("the event is not named")),
        }
        let session = event.get("data").and_then(Value::as_object);
        let session = session.and_then(EndedSession::read);
        session.map(Some).ok_or(refused("the session is not named"))
    }
}

impl EndedSession {
    fn read(data: &Map<String, Value>) -> Option<Self> {
        let id = |name: &str| match data.get(name) {
            Some(Value::String(id)) if (1..=MAX_ID_BYTES).contains(&id.len()) => Some(id.clone()),
            _ => None,
        };
        Some(Self {
            session: id("id")?,
            user: id("user_id")?,
            organization: id("organization_id"),
        })
    }

    /// Revokes the tokens of this issuer that name the session, of which the last is good for `longest`
    /// from now.
    ///
    /// # Errors
    ///
    /// If the list is full. Then the session's tokens are still good.
    pub fn revoke(
        &self,
        list: &Revocations,
        issuer: &str,
        longest: Duration,
    ) -> Result<(), NotRevoked> {
        let until = list.now().saturating_add(longest);
        list.revoke_session(issuer, &self.session, until)
    }
}

/// The time as it is written, and the signature.
fn fields(text: &str) -> Option<(&str, Vec<u8>)> {
    let (time, mark) = text.split_once(',')?;
    let time = time.trim().strip_prefix("t=")?;
    let mark = mark.trim().strip_prefix("v1=")?;
    let is_time = (1..=20).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    is_time.then_some(())?;
    Some((time, unhex(mark)?))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
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

impl fmt::Debug for WorkosWebhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkosWebhooks").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_one_spelling_of_the_field_is_read() {
        let mark = "0".repeat(64);
        for good in [format!("t=17, v1={mark}"), format!("t=17,v1={mark}")] {
            assert_eq!(fields(&good), Some(("17", vec![0; 32])), "{good}");
        }
        for bad in [
            String::new(),
            "t=17".into(),
            format!("v1={mark}"),
            format!("v1={mark}, t=17"),
            format!("t=, v1={mark}"),
            format!("t=-17, v1={mark}"),
            format!("t=+17, v1={mark}"),
            format!("t={}, v1={mark}", "9".repeat(21)),
            format!("t=17, t=18, v1={mark}"),
            format!("t=17, v1={mark}, v1={mark}"),
            format!("t=17, v1={mark}0"),
            format!("t=17, v0={mark}"),
            format!("t=17, v1={}", "+f".repeat(32)),
        ] {
            assert_eq!(fields(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(field in "\\PC{0,90}", body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let webhooks = WorkosWebhooks::new("0123456789abcdef".to_owned()).unwrap();
            prop_assert!(webhooks.read(&field, &body).is_err());
        }
    }
}

//! Alerts as signed HTTP requests.

mod answer;
mod builder;
mod schedule;
mod secret;
mod verifier;

use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::Clock;
use bartizan_fetch::HttpFetch;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header::CONTENT_TYPE};
use tokio::runtime::{self, Runtime};

use crate::{AlertsConfigError, Delivery, Receiver, Undelivered};
use answer::Verdict;
pub use builder::WebhookBuilder;
use schedule::Schedule;
use secret::Signers;
pub use secret::WebhookSecret;
pub use verifier::{VerifiedWebhook, WebhookRefused, WebhookVerifier};

/// The fields of [Standard Webhooks](https://www.standardwebhooks.com).
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Brings alerts to a URL, each as a `POST` of its JSON, signed as Standard Webhooks 1.0 says.
///
/// `webhook-id` is `alert_` and the alert's id, the same at every attempt. `webhook-timestamp` is the attempt's.
/// `webhook-signature` has one `v1` signature for each secret.
///
/// An answer of 2xx takes the alert; its body is not read. After 408, 429, 5xx, and when there is no answer in time, it is
/// tried again: after a pause that doubles each time, half of it at random, or after as long as `Retry-After` says. Any other
/// answer, redirects included, gives the alert up. One alert is on its way at a time.
///
/// The URL's host is connected to at an address that was judged ([`Reach`](bartizan_fetch::Reach), SS-1, SS-2), at every
/// attempt anew: hosts of the Internet, by permission those of private networks, and never those where clouds tell their
/// machines secrets.
///
/// It runs on its outbox's thread, where it has a small runtime of its own.
///
/// ```
/// use bartizan_alerts::{Webhook, WebhookSecret};
///
/// let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let pager = Webhook::to("https://pager.example.com/hooks/mcp", secret.clone()).build()?;
/// // No: neither without TLS, nor what a cloud tells its machines.
/// assert!(Webhook::to("http://pager.example.com/hooks/mcp", secret.clone()).build().is_err());
/// assert!(Webhook::to("https://169.254.169.254/latest", secret).build().is_err());
/// # Ok::<(), bartizan_alerts::AlertsConfigError>(())
/// ```
pub struct Webhook {
    url: Uri,
    fetch: HttpFetch,
    signers: Signers,
    schedule: Schedule,
    clock: Arc<dyn Clock>,
    /// Made on the thread that it runs on, and dropped there.
    runtime: Option<Runtime>,
}

impl Webhook {
    /// To a URL, signed with a secret.
    pub fn to(url: &str, secret: WebhookSecret) -> WebhookBuilder {
        WebhookBuilder::new(url, secret)
    }

    fn runtime(&mut self) -> Result<&Runtime, Undelivered> {
        if self.runtime.is_none() {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let no_runtime = |_| Undelivered::new("the system has no means for connections left");
            self.runtime = Some(runtime.map_err(no_runtime)?);
        }
        let never = || Undelivered::new("there is no runtime");
        self.runtime.as_ref().ok_or_else(never)
    }

    fn attempt(&mut self, id: &str, body: &Bytes) -> Verdict {
        let request = match self.request(id, body) {
            Ok(request) => request,
            Err(_) => return Verdict::GaveUp("the request can't be made".to_owned()),
        };
        let (fetch, now) = (self.fetch.clone(), self.clock.wall());
        match self.runtime() {
            Ok(runtime) => match runtime.block_on(fetch.send_for_head(request)) {
                Ok(answer) => Verdict::of(&answer, now),
                Err(error) => Verdict::Again(error.to_string(), None),
            },
            Err(error) => Verdict::Again(error.to_string(), None),
        }
    }

    fn request(&self, id: &str, body: &Bytes) -> Result<Request<Bytes>, http::Error> {
        let now = self.clock.wall().as_secs();
        let signature = self.signers.sign(id, now, body);
        let mut signature = HeaderValue::try_from(signature)?;
        signature.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ID, id)
            .header(TIMESTAMP, now)
            .header(SIGNATURE, signature)
            .body(body.clone())
    }
}

impl Receiver for Webhook {
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
        // At every attempt the same, as the id says.
        let (id, body) = (format!("alert_{}", delivery.alert().id), delivery.to_json());
        let body = Bytes::from(body);
        let mut pauses = self.schedule.pauses();
        loop {
            let (why, wish) = match self.attempt(&id, &body) {
                Verdict::Taken => return Ok(()),
                Verdict::GaveUp(why) => return Err(Undelivered::new(why)),
                Verdict::Again(why, wish) => (why, wish),
            };
            let Some(pause) = pauses.next() else {
                let attempts = self.schedule.attempts;
                return Err(Undelivered::new(format!(
                    "{attempts} attempts; the last: {why}"
                )));
            };
            let wish = wish.unwrap_or(Duration::ZERO).min(Schedule::LONGEST_WISH);
            if !delivery.pause(pause.max(wish)) {
                return Err(Undelivered::new(format!("the process ends; {why}")));
            }
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Who knows the path may write there.
        f.debug_struct("Webhook")
            .field("host", &self.url.host())
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

/// The URL's own text may hold a credential, and is not shown.
fn refused(shown: impl Into<String>, problem: &str) -> AlertsConfigError {
    AlertsConfigError::new("webhook", shown, problem)
}

use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{Clock, SystemClock};
use bartizan_fetch::{HttpFetch, Reach, WebUrl};
use http::Uri;

use super::{Schedule, Webhook, WebhookSecret, refused, secret::Signers};
use crate::AlertsConfigError;

/// Builds a [`Webhook`].
#[must_use = "nothing is sent until it is built, and given to an outbox"]
pub struct WebhookBuilder {
    url: String,
    secrets: Vec<WebhookSecret>,
    timeout: Duration,
    schedule: Schedule,
    reach: Reach,
    is_http_allowed: bool,
    is_this_machine_allowed: bool,
    is_proxied: bool,
    clock: Arc<dyn Clock>,
}

/// Secrets at a time.
const MOST_SECRETS: usize = 4;

impl WebhookBuilder {
    pub(super) fn new(url: &str, secret: WebhookSecret) -> Self {
        Self {
            url: url.to_owned(),
            secrets: vec![secret],
            timeout: Duration::from_secs(15),
            schedule: Schedule::DEFAULT,
            reach: Reach::Public,
            is_http_allowed: false,
            is_this_machine_allowed: false,
            is_proxied: false,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Signs with one more secret as well, while the receiver goes over from one to another; four in all at most.
    pub fn also_signed_with(mut self, secret: WebhookSecret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// How long one attempt may take; 15 s by default, from 100 ms to 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often an alert is tried; 10 times by default, from 1 to 100.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.schedule.attempts = attempts;
        self
    }

    /// The first pause between two attempts, and the longest; 1 s and 60 s by default, from 1 ms to an hour. A
    /// `Retry-After` may make one longer, up to 5 minutes.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.schedule.first, self.schedule.longest) = (first, longest);
        self
    }

    /// Reaches hosts of private networks too.
    pub fn allow_private_network(mut self) -> Self {
        self.reach = Reach::Private;
        self
    }

    /// Through the proxies that the environment names, if it does. What they reach is their own affair.
    pub fn through_proxies(mut self) -> Self {
        self.is_proxied = true;
        self
    }

    /// Sends without TLS to a URL that says so: whoever is on the way reads the alerts.
    pub fn danger_allow_http(mut self) -> Self {
        self.is_http_allowed = true;
        self
    }

    /// Sends to a loopback address or `localhost`, where other things may listen.
    pub fn danger_allow_this_machine(mut self) -> Self {
        self.is_this_machine_allowed = true;
        self
    }

    /// Reads the time of the signatures from another clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The receiver.
    ///
    /// # Errors
    ///
    /// If the URL is no plain one, is without TLS, or leads where it may not; there are too many secrets; a number is out of
    /// its range; or TLS can't be set up.
    pub fn build(self) -> Result<Webhook, AlertsConfigError> {
        self.check_url()?;
        self.check_times()?;
        if self.secrets.len() > MOST_SECRETS {
            return Err(refused("secret", "is one more than 4"));
        }
        let keys = self.secrets.iter().map(WebhookSecret::key);
        let fetch = if self.is_proxied {
            HttpFetch::reaching(self.reach, self.timeout)
        } else {
            HttpFetch::without_proxies(self.reach, self.timeout)
        };
        let url: Result<Uri, _> = self.url.parse();
        Ok(Webhook {
            url: url.map_err(|_| refused("url", "is no URL of HTTP"))?,
            fetch: fetch.map_err(|error| refused("TLS", &error.to_string()))?,
            signers: Signers(keys.collect::<Result<_, _>>()?),
            schedule: self.schedule,
            clock: self.clock,
            runtime: None,
        })
    }

    fn check_url(&self) -> Result<(), AlertsConfigError> {
        let Some(url) = WebUrl::parse(&self.url) else {
            return Err(refused("url", "is not a plain https URL"));
        };
        let shown = url.origin();
        if !url.is_https && !self.is_http_allowed {
            return Err(refused(shown, "is not https"));
        }
        if url.port().is_none() {
            return Err(refused(shown, "has no such port"));
        }
        if url.is_loopback() {
            let problem = "is this machine, which needs `danger_allow_this_machine`";
            return match self.is_this_machine_allowed {
                true => Ok(()),
                false => Err(refused(shown, problem)),
            };
        }
        let is_refused = |address| !self.reach.admits(address);
        if url.may_be_local() || url.address().is_some_and(is_refused) {
            let problem = match url.address() {
                Some(address) if Reach::Private.admits(address) => {
                    "is in a private network, which needs `allow_private_network`"
                }
                _ => "is no host that may be reached",
            };
            return Err(refused(shown, problem));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), AlertsConfigError> {
        let Schedule {
            attempts,
            first,
            longest,
        } = self.schedule;
        let (least, most) = (Duration::from_millis(1), Duration::from_secs(3600));
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&self.timeout) {
            let problem = "is not from 100 ms to 60 s";
            return Err(refused(format!("timeout {:?}", self.timeout), problem));
        }
        if !(1..=100).contains(&attempts) {
            return Err(refused(format!("attempts {attempts}"), "are not 1 to 100"));
        }
        if first < least || first > longest || longest > most {
            let shown = format!("pauses {first:?}, {longest:?}");
            let problem = "are not from 1 ms to 1 h, the shorter one first";
            return Err(refused(shown, problem));
        }
        Ok(())
    }
}

impl fmt::Debug for WebhookBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookBuilder")
            .field("host", &WebUrl::parse(&self.url).map(|url| url.origin()))
            .field("timeout", &self.timeout)
            .field("schedule", &self.schedule)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(url: &str) -> WebhookBuilder {
        Webhook::to(url, WebhookSecret::from_bytes(vec![7; 32]).unwrap())
    }

    #[test]
    fn ss_1_ss_2_where_an_alert_may_not_go_is_an_error_at_once() {
        for (url, problem) in [
            ("http://pager.example.com/s3cret", "is not https"),
            ("https://ann:s3cret@pager.example.com/", "is not a plain"),
            ("ftp://pager.example.com/s3cret", "is not a plain"),
            ("https://pager.example.com:99999/s3cret", "no such port"),
            ("https://127.0.0.1/s3cret", "danger_allow_this_machine"),
            ("https://localhost:8443/s3cret", "danger_allow_this_machine"),
            ("https://[::1]/s3cret", "danger_allow_this_machine"),
            ("https://a.localhost/s3cret", "may be reached"),
            ("https://[::ffff:127.0.0.1]/s3cret", "may be reached"),
            ("https://0.0.0.0/s3cret", "may be reached"),
            ("https://169.254.169.254/s3cret", "may be reached"),
            ("https://168.63.129.16/s3cret", "may be reached"),
            ("https://[fd00:ec2::254]/s3cret", "may be reached"),
            ("https://10.1.2.3/s3cret", "allow_private_network"),
            ("https://[fd12::1]/s3cret", "allow_private_network"),
        ] {
            let error = to(url).build().unwrap_err().to_string();
            assert!(error.contains(problem), "{url}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        // Permission for one thing is none for another.
        let private = to("https://169.254.169.254/").allow_private_network();
        assert!(private.danger_allow_this_machine().build().is_err());
        assert!(
            to("http://10.1.2.3/")
                .allow_private_network()
                .build()
                .is_err()
        );
        assert!(
            to("https://10.1.2.3/")
                .allow_private_network()
                .build()
                .is_ok()
        );
        assert!(
            to("https://127.0.0.1/")
                .danger_allow_this_machine()
                .build()
                .is_ok()
        );
        assert!(
            to("http://127.0.0.1/")
                .danger_allow_this_machine()
                .build()
                .is_err()
        );
    }

    #[test]
    fn numbers_out_of_range_name_themselves() {
        let url = "https://pager.example.com/";
        let (short, long) = (Duration::from_millis(1), Duration::from_secs(3601));
        for (builder, named) in [
            (to(url).timeout(short), "timeout 1ms"),
            (to(url).timeout(long), "timeout 3601s"),
            (to(url).attempts(0), "attempts 0"),
            (to(url).attempts(101), "attempts 101"),
            (to(url).pauses(Duration::ZERO, long / 2), "pauses 0ns"),
            (to(url).pauses(long / 2, short), "pauses 1800.5s"),
            (to(url).pauses(short, long), "3601s"),
        ] {
            let error = builder.build().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let secret = || WebhookSecret::from_bytes(vec![7; 32]).unwrap();
        let many = (0..4).fold(to(url), |to, _| to.also_signed_with(secret()));
        assert!(many.build().is_err());
    }

    #[test]
    fn neither_path_nor_secret_is_shown() {
        let builder = to("https://pager.example.com/hooks/s3cret?token=s3cret");
        let shown = format!("{builder:?} {:?}", to("https://a.example/s3cret").build());
        assert!(
            shown.contains("pager.example.com") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}

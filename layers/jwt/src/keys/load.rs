use std::sync::Arc;

use bartizan_core::{Event, Events, Severity, printable};
use bartizan_fetch::WebUrl;
use tokio::time::timeout;

use super::{KeySet, Origin, Remote, SkippedKey, discovery, remote::Snapshot};
use crate::Document;

/// Key sets and metadata are a few kilobytes.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// How keys get here; when they do is decided elsewhere.
impl Remote {
    pub(super) async fn load(&self, rediscover: bool) -> Result<Snapshot, String> {
        let now = self.clock.monotonic();
        // Fetches for unknown kids renew the keys, but do not put off the next look at the metadata.
        let is_due = |known: &Snapshot| {
            rediscover || now.saturating_sub(known.discovered_at) >= self.schedule.ttl
        };
        let known = self.snapshot.load_full();
        let (jwks_url, discovered_at) = match (&self.origin, known.clone()) {
            (Origin::Jwks { url }, _) => (url.clone(), now),
            (Origin::Discovery { .. }, Some(known)) if !is_due(&known) => {
                (known.jwks_url.clone(), known.discovered_at)
            }
            (Origin::Discovery { issuer }, known) => match (self.discover(issuer).await, known) {
                (Ok(url), _) => (url, now),
                (Err(Undiscovered::Unreachable(reason)), Some(known))
                    if self.is_bounded(&known) =>
                {
                    self.emit(Severity::Warning, "discovery_unreachable", reason);
                    (known.jwks_url.clone(), known.discovered_at)
                }
                (Err(Undiscovered::Unreachable(reason) | Undiscovered::Refused(reason)), _) => {
                    return Err(reason);
                }
            },
        };
        let fetched = self.fetch(&jwks_url).await?;
        let (document, max_age) = (fetched.bytes().clone(), fetched.max_age());
        let (keys, skipped) = KeySet::from_jwks(&document, &self.allowed)
            .map_err(|problem| format!("{}: {problem}", printable(&jwks_url, 200)))?;
        emit_skipped(&self.events, &skipped);
        Ok(Snapshot {
            // The same keys are the same set, so that what was verified with it need not be anew.
            keys: match known {
                Some(known) if known.document == document => Arc::clone(&known.keys),
                _ => Arc::new(keys),
            },
            document,
            ttl: self.schedule.ttl_of(max_age),
            jwks_url,
            discovered_at,
            fetched_at: self.clock.monotonic(),
        })
    }

    /// Whether what the metadata said is recent enough to rely on while nobody can be asked.
    fn is_bounded(&self, known: &Snapshot) -> bool {
        let bound = self.schedule.ttl.saturating_add(self.schedule.max_stale);
        self.clock.monotonic().saturating_sub(known.discovered_at) < bound
    }

    async fn discover(&self, issuer: &str) -> Result<String, Undiscovered> {
        let candidates = discovery::candidates(issuer);
        // One that hangs must leave time for the others, and for the keys.
        let budget = self.schedule.timeout / 4;
        let mut fault = Undiscovered::Unreachable("no metadata".into());
        for url in candidates {
            let document = match timeout(budget, self.fetch(&url)).await {
                Ok(Ok(document)) => document.bytes().clone(),
                Ok(Err(reason)) => {
                    fault = fault.or_unreachable(reason);
                    continue;
                }
                Err(_) => {
                    fault = fault.or_unreachable(format!("{}: timed out", printable(&url, 200)));
                    continue;
                }
            };
            let found = discovery::jwks_uri(&document, issuer)
                .map_err(str::to_owned)
                .and_then(|uri| self.permit(&uri).map(|()| uri));
            match found {
                Ok(uri) => return Ok(uri),
                Err(reason) => {
                    let reason = format!("metadata at {url} was not used: {reason}");
                    self.emit(Severity::Warning, "discovery_refused", reason.clone());
                    fault = Undiscovered::Refused(reason);
                }
            }
        }
        Err(fault)
    }

    async fn fetch(&self, url: &str) -> Result<Document, String> {
        self.permit(url)?;
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", printable(url, 200));
        let document = self.fetcher.fetch(url, MAX_DOCUMENT_BYTES).await;
        let document = document.map_err(|error| fault(&error))?;
        if document.bytes().len() > MAX_DOCUMENT_BYTES {
            return Err(fault(&"too large"));
        }
        Ok(document)
    }

    /// TLS, except for an issuer on this machine; and no way from elsewhere to this machine.
    fn permit(&self, url: &str) -> Result<(), String> {
        let configured = match &self.origin {
            Origin::Discovery { issuer } => issuer,
            Origin::Jwks { url } => url,
        };
        let is_local = |url: &str| WebUrl::parse(url).is_some_and(|url| url.may_be_local());
        let refuse = |problem| Err(format!("`{}` {problem}", printable(url, 200)));
        match WebUrl::parse(url) {
            None => refuse("is not a plain URL"),
            Some(target) if target.may_be_local() && !is_local(configured) => {
                refuse("is on this machine, and the issuer is not")
            }
            Some(target) if target.is_https || target.is_loopback() || self.allow_http => Ok(()),
            Some(_) => refuse("is not https"),
        }
    }
}

/// Why the metadata did not tell where the keys are.
enum Undiscovered {
    /// It could not be had, which says nothing against what it said before.
    Unreachable(String),
    /// It is there, and says what must not be followed.
    Refused(String),
}

impl Undiscovered {
    fn or_unreachable(self, reason: String) -> Self {
        match self {
            Self::Unreachable(_) => Self::Unreachable(reason),
            refused @ Self::Refused(_) => refused,
        }
    }
}

/// Reports the keys of a set that are not used.
pub(crate) fn emit_skipped(events: &Events, skipped: &[SkippedKey]) {
    for SkippedKey { kid, reason } in skipped {
        let kid = printable(kid.as_deref().unwrap_or("without id"), 80);
        let detail = format!("key `{kid}` is not used: {reason}");
        events.emit(&Event::new("jwt", Severity::Warning, "key_skipped", detail));
    }
}

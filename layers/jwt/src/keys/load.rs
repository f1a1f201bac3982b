use std::sync::Arc;

use bartizan_core::{Event, Events, Severity, printable};
use bytes::Bytes;

use super::{
    KeySet, SkippedKey, discovery,
    remote::{Origin, Remote, Snapshot},
};
use crate::url::WebUrl;

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
        let known = self.snapshot.load_full().filter(|known| !is_due(known));
        let (jwks_url, discovered_at) = match (&self.origin, known) {
            (Origin::Jwks { url }, _) => (url.clone(), now),
            (Origin::Discovery { .. }, Some(known)) => {
                (known.jwks_url.clone(), known.discovered_at)
            }
            (Origin::Discovery { issuer }, None) => (self.discover(issuer).await?, now),
        };
        let document = self.fetch(&jwks_url).await?;
        let (keys, skipped) = KeySet::from_jwks(&document, &self.allowed)
            .map_err(|problem| format!("{}: {problem}", printable(&jwks_url, 200)))?;
        emit_skipped(&self.events, &skipped);
        Ok(Snapshot {
            keys: Arc::new(keys),
            jwks_url,
            discovered_at,
            fetched_at: self.clock.monotonic(),
        })
    }

    async fn discover(&self, issuer: &str) -> Result<String, String> {
        let mut last = String::from("no metadata");
        for url in discovery::candidates(issuer) {
            let document = match self.fetch(&url).await {
                Ok(document) => document,
                Err(reason) => {
                    last = reason;
                    continue;
                }
            };
            let found = discovery::jwks_uri(&document, issuer)
                .map_err(str::to_owned)
                .and_then(|uri| self.permit(&uri).map(|()| uri));
            match found {
                Ok(uri) => return Ok(uri),
                Err(reason) => {
                    last = format!("metadata at {url} was not used: {reason}");
                    self.emit(Severity::Warning, "discovery_refused", last.clone());
                }
            }
        }
        Err(last)
    }

    async fn fetch(&self, url: &str) -> Result<Bytes, String> {
        self.permit(url)?;
        let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", printable(url, 200));
        let document = self.fetcher.fetch(url, MAX_DOCUMENT_BYTES).await;
        let document = document.map_err(|error| fault(&error))?;
        if document.len() > MAX_DOCUMENT_BYTES {
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

/// Reports the keys of a set that are not used.
pub(crate) fn emit_skipped(events: &Events, skipped: &[SkippedKey]) {
    for SkippedKey { kid, reason } in skipped {
        let kid = printable(kid.as_deref().unwrap_or("without id"), 80);
        let detail = format!("key `{kid}` is not used: {reason}");
        events.emit(&Event::new("jwt", Severity::Warning, "key_skipped", detail));
    }
}

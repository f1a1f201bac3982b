use std::sync::Arc;

use http::HeaderValue;
use tower_layer::Layer;

use crate::{
    HeadersConfigError, Hsts, SecurityHeaders,
    profile::{CLASSIC, CLASSIC_HSTS, HTML, MCP, Preset, TWO_YEARS},
    rules::Rules,
};

/// Security headers on every answer; see the [crate's docs](crate) for an example.
///
/// Starts from a profile: [`mcp`](Self::mcp), [`html`](Self::html) or [`classic`](Self::classic).
/// Each header can have one rule of its own besides; two are refused as a contradiction.
#[derive(Debug, Clone)]
#[must_use]
pub struct SecurityHeadersLayer {
    rules: Arc<Rules>,
}

impl SecurityHeadersLayer {
    /// For JSON and SSE answers (SH-1), two years of HSTS over TLS.
    ///
    /// `X-Content-Type-Options: nosniff`, `Cache-Control: no-store`,
    /// `Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none';
    /// form-action 'none'`, `Referrer-Policy: no-referrer`, `X-Frame-Options: DENY`,
    /// `Cross-Origin-Resource-Policy: same-origin`,
    /// `Permissions-Policy: geolocation=(), microphone=(), camera=()`,
    /// `X-Permitted-Cross-Domain-Policies: none`.
    ///
    /// `Cross-Origin-Resource-Policy` concerns only fetches in `no-cors` mode (`<img>`,
    /// `<script>`): browser clients that CORS admits read the answers all the same.
    pub fn mcp() -> Self {
        Self::of(&MCP, &TWO_YEARS)
    }

    /// For pages that a person sees, such as consent (CD-2), two years of HSTS over TLS.
    ///
    /// As [`mcp`](Self::mcp), but with a policy under which a page can have its own styles, images,
    /// fonts and forms and no scripts, `Referrer-Policy: same-origin`, all of Permissions-Policy
    /// denied, and `Cross-Origin-Opener-Policy: same-origin`,
    /// `Cross-Origin-Embedder-Policy: require-corp`, `Origin-Agent-Cluster: ?1`,
    /// `X-DNS-Prefetch-Control: off`, `X-XSS-Protection: 0`.
    ///
    /// A page with scripts sets its own policy with a fresh nonce, which stays. So does a page
    /// whose form ends in a redirect to another origin: it names that origin in `form-action`,
    /// because browsers hold the redirect against the directive too.
    pub fn html() -> Self {
        Self::of(&HTML, &TWO_YEARS)
    }

    /// Exactly seven headers that checklists ask for, with two departures from their usual form.
    ///
    /// `Content-Security-Policy: default-src 'self'`, `X-Content-Type-Options: nosniff`,
    /// `X-Frame-Options: DENY`, `Referrer-Policy: no-referrer`,
    /// `Permissions-Policy: geolocation=(), microphone=(), camera=()`;
    /// `X-XSS-Protection: 0`, because the mode `1; mode=block` is withdrawn and opened holes of its
    /// own; `Strict-Transport-Security: max-age=31536000; includeSubDomains`, but only over TLS.
    ///
    /// [`mcp`](Self::mcp) is the better choice for an API: `'self'` is more than it needs, and this
    /// profile says nothing of caches.
    pub fn classic() -> Self {
        Self::of(&CLASSIC, &CLASSIC_HSTS)
    }

    fn of(presets: &[Preset], hsts: &HeaderValue) -> Self {
        Self {
            rules: Arc::new(Rules::new(presets, hsts)),
        }
    }

    /// Sets a header where the inner answer has none; takes the place of the profile's value.
    ///
    /// # Errors
    ///
    /// If name or value is not valid, the value is one that browsers would ignore or misread (for
    /// instance a `Content-Security-Policy` with `self` instead of `'self'`), the header belongs to
    /// the inner service or another layer (`Set-Cookie`, `Content-Length`, `WWW-Authenticate`,
    /// `Access-Control-*` …), is removed as a fingerprint, or has a rule already. HSTS is set by
    /// [`hsts`](Self::hsts).
    pub fn set_if_absent(
        self,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<Self, HeadersConfigError> {
        self.with(|rules| rules.set(name.as_ref(), value.as_ref(), false))
    }

    /// Sets a header whatever the inner answer has, be that stricter.
    ///
    /// # Errors
    ///
    /// As for [`set_if_absent`](Self::set_if_absent).
    pub fn overriding(
        self,
        name: impl AsRef<str>,
        value: impl AsRef<str>,
    ) -> Result<Self, HeadersConfigError> {
        self.with(|rules| rules.set(name.as_ref(), value.as_ref(), true))
    }

    /// Removes a header from every answer, beside the fingerprints that are removed anyway (SH-4).
    ///
    /// # Errors
    ///
    /// If the name is not valid, the header is one that a profile sets (it would be taken from the
    /// inner service too), belongs to others, or has a rule already.
    pub fn removing(self, name: impl AsRef<str>) -> Result<Self, HeadersConfigError> {
        self.with(|rules| rules.remove(name.as_ref()))
    }

    /// Drops the profile's rule for a header: it leaves as the inner service made it, or not at all.
    ///
    /// # Errors
    ///
    /// If the name is not valid, the profile has no rule for it, or it has another rule already.
    pub fn danger_leave(self, name: impl AsRef<str>) -> Result<Self, HeadersConfigError> {
        self.with(|rules| rules.leave(name.as_ref()))
    }

    /// What `Strict-Transport-Security` says; sent only on requests that came over TLS.
    ///
    /// # Errors
    ///
    /// If the max-age is zero or above 2147483647 seconds, if it is to be preloaded with less than a
    /// year or without subdomains, or if the header has a rule already.
    pub fn hsts(self, hsts: Hsts) -> Result<Self, HeadersConfigError> {
        self.with(|rules| rules.set_hsts(&hsts))
    }

    /// Declares that this server itself speaks nothing but TLS.
    ///
    /// For when no network layer says how a request came. If one does, its word counts.
    pub fn tls_terminated_here(mut self) -> Self {
        Arc::make_mut(&mut self.rules).tls_terminated_here = true;
        self
    }

    /// Passes the bodies of inner 5xx answers on, stack traces and all (against SH-4).
    pub fn danger_keep_inner_5xx_bodies(mut self) -> Self {
        Arc::make_mut(&mut self.rules).keep_inner_5xx_bodies = true;
        self
    }

    fn with(
        mut self,
        change: impl FnOnce(&mut Rules) -> Result<(), HeadersConfigError>,
    ) -> Result<Self, HeadersConfigError> {
        change(Arc::make_mut(&mut self.rules))?;
        Ok(self)
    }
}

impl Default for SecurityHeadersLayer {
    /// [`mcp`](Self::mcp).
    fn default() -> Self {
        Self::mcp()
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = SecurityHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SecurityHeaders::new(inner, Arc::clone(&self.rules))
    }
}

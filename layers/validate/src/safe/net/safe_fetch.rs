use std::{error::Error, fmt, marker::PhantomData, time::Duration};

use bartizan_fetch::{FetchError, HttpFetch};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::LOCATION};
use url::Url;

use super::{PublicHttps, SafeUrl, UrlRules};

/// Fetches [`SafeUrl`]s: see [the module](super).
///
/// A name is resolved once, for the connection; each address that it has is judged, and only those that
/// [`UrlRules::REACH`] admits are connected to. Proxies of the environment are not used, since they would resolve for
/// themselves. Redirects are not followed, unless asked for, and each leads to a `SafeUrl` of the same rules or nowhere. No
/// cookie, credential or header of the caller is sent.
pub struct SafeFetch<R = PublicHttps> {
    fetch: HttpFetch,
    redirects: u8,
    mark: PhantomData<fn() -> R>,
}

/// Why a URL could not be fetched. The text names no host and no address, and can go to the caller.
#[derive(Debug)]
pub struct SafeFetchError {
    kind: SafeFetchErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What went wrong, of a [`SafeFetchError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SafeFetchErrorKind {
    /// TLS could not be set up.
    Setup,
    /// The host could not be reached, or may not be; the answer took too long, or was too large. The source tells, for
    /// operators: a caller who learns which it was looks around in a network.
    Fetch,
    /// A redirect leads to what is no URL to fetch.
    Redirect,
    /// There were more redirects than are followed.
    TooManyRedirects,
}

impl<R: UrlRules> SafeFetch<R> {
    /// One that follows no redirects. Each exchange takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// If TLS can't be set up.
    pub fn new(timeout: Duration) -> Result<Self, SafeFetchError> {
        let fetch = HttpFetch::without_proxies(R::REACH, timeout);
        let fetch = fetch.map_err(|error| SafeFetchError::new(SafeFetchErrorKind::Setup, error))?;
        Ok(Self {
            fetch,
            redirects: 0,
            mark: PhantomData,
        })
    }

    /// How many redirects are followed.
    #[must_use]
    pub fn follow_redirects(mut self, most: u8) -> Self {
        self.redirects = most;
        self
    }

    /// Gets what is there, whatever its status, if it has at most `max` bytes.
    ///
    /// # Errors
    ///
    /// If there is nothing to get, or it may not be got.
    pub async fn get(
        &self,
        url: &SafeUrl<R>,
        max: usize,
    ) -> Result<Response<Bytes>, SafeFetchError> {
        let mut url = url.clone();
        for _ in 0..=self.redirects {
            let request = Request::get(url.as_str()).body(Bytes::new());
            let request =
                request.map_err(|error| SafeFetchError::new(SafeFetchErrorKind::Fetch, error))?;
            let answer = self.fetch.send(request, max).await?;
            if !is_redirect(answer.status()) || self.redirects == 0 {
                return Ok(answer);
            }
            url = next(&url, &answer)?;
        }
        Err(SafeFetchErrorKind::TooManyRedirects.into())
    }
}

/// Those that leave a `GET` a `GET`, to somewhere else.
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, as the URL standard reads it, so that what is judged is what is meant.
fn next<R: UrlRules>(
    url: &SafeUrl<R>,
    answer: &Response<Bytes>,
) -> Result<SafeUrl<R>, SafeFetchError> {
    let mut lines = answer.headers().get_all(LOCATION).iter();
    let (Some(location), None) = (lines.next(), lines.next()) else {
        return Err(SafeFetchErrorKind::Redirect.into());
    };
    let location = location.to_str().ok();
    let joined = location.and_then(|to| Url::parse(url.as_str()).ok()?.join(to).ok());
    let mut joined = joined.ok_or(SafeFetchErrorKind::Redirect)?;
    joined.set_fragment(None);
    SafeUrl::new(joined.as_str())
        .map_err(|refused| SafeFetchError::new(SafeFetchErrorKind::Redirect, refused))
}

impl<R> Clone for SafeFetch<R> {
    fn clone(&self) -> Self {
        Self {
            fetch: self.fetch.clone(),
            redirects: self.redirects,
            mark: PhantomData,
        }
    }
}

impl<R> fmt::Debug for SafeFetch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SafeFetch");
        shown
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}

impl SafeFetchError {
    fn new(kind: SafeFetchErrorKind, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            source: Some(Box::new(source)),
        }
    }

    /// What went wrong.
    pub fn kind(&self) -> SafeFetchErrorKind {
        self.kind
    }
}

impl From<SafeFetchErrorKind> for SafeFetchError {
    fn from(kind: SafeFetchErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl From<FetchError> for SafeFetchError {
    fn from(error: FetchError) -> Self {
        Self::new(SafeFetchErrorKind::Fetch, error)
    }
}

impl fmt::Display for SafeFetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            SafeFetchErrorKind::Setup => "nothing can be fetched here",
            SafeFetchErrorKind::Fetch => "the URL could not be fetched",
            SafeFetchErrorKind::Redirect => "the URL redirects to what is not fetched",
            SafeFetchErrorKind::TooManyRedirects => "the URL redirects too often",
        })
    }
}

impl Error for SafeFetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

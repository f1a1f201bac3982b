use std::{error::Error, fmt, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;

/// The future of [`FetchDocument::fetch`].
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Document, FetchError>> + Send + 'a>>;

/// Fetches key sets and metadata. With the feature `http` there is `HttpFetch`.
///
/// An implementation follows no redirects, answers only what came with status 200, and reads no
/// more than `max_bytes`. It is called for one URL at a time, under a deadline that the caller sets.
pub trait FetchDocument: Send + Sync + 'static {
    /// Gets the document at `url`.
    fn fetch<'a>(&'a self, url: &'a str, max_bytes: usize) -> Fetching<'a>;
}

/// A document that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    bytes: Bytes,
    max_age: Option<Duration>,
}

impl Document {
    /// With the time for which it is fresh, as its server says.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// What was fetched.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// For how long its server says that it is fresh.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }
}

impl From<Bytes> for Document {
    fn from(bytes: Bytes) -> Self {
        Self {
            bytes,
            max_age: None,
        }
    }
}

/// Why a document could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError(String);

impl FetchError {
    /// For operators, who read it in events.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for FetchError {}

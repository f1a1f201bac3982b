use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// How an [`Issuer`](crate::Issuer) answers at one endpoint; by default with the true document,
/// at once, under 200.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Behaviour {
    pub(crate) status: StatusCode,
    pub(crate) delay: Duration,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) headers: HeaderMap,
    pub(crate) padding: usize,
    pub(crate) hide_length: bool,
    pub(crate) drip: Option<(usize, Duration)>,
    pub(crate) times: Option<usize>,
}

impl Behaviour {
    /// The true document.
    pub fn good() -> Self {
        Self::default()
    }

    /// Another status, over the same document.
    pub fn status(mut self, status: u16) -> Self {
        self.status = StatusCode::from_u16(status).unwrap();
        self
    }

    /// A wait before the answer's head.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Other bytes in place of the document.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A header line, replacing any of that name: `content-type`, `etag`.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
        self
    }

    /// `Cache-Control`.
    pub fn cache_control(self, value: &str) -> Self {
        self.header("cache-control", value)
    }

    /// A 302 to this URL.
    pub fn redirect(self, url: &str) -> Self {
        self.status(302).header("location", url)
    }

    /// So many spaces in front of the document, which stays valid JSON: only a size limit can mind.
    pub fn padded(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    /// Chunked, so that no `Content-Length` warns of the size.
    pub fn chunked(mut self) -> Self {
        self.hide_length = true;
        self
    }

    /// So many bytes at a time, with this pause between them; chunked.
    pub fn drip(mut self, bytes: usize, pause: Duration) -> Self {
        assert!(bytes > 0, "a drip of nothing never ends");
        self.drip = Some((bytes, pause));
        self.chunked()
    }

    /// For the next `times` requests only; after those, the true document again.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }
}

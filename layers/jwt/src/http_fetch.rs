use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, redirect};

use crate::{FetchDocument, FetchError, Fetching, JwtConfigError, url::WebUrl};

/// Fetches over HTTP: no redirects, no cookies, a time limit, a size limit counted as it arrives.
///
/// TLS is rustls with the system's trust store. If the process installed a rustls provider, that
/// one is used, otherwise aws-lc-rs; nothing is installed. Proxies named by the environment are
/// honoured, but not for loopback hosts.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    direct: Client,
    outbound: Client,
}

impl HttpFetch {
    /// A client whose connections and exchanges take at most `timeout` each.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, JwtConfigError> {
        let build = |direct: bool| {
            let mut builder = Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(timeout)
                .timeout(timeout)
                .pool_max_idle_per_host(1)
                .user_agent(concat!("bartizan-jwt/", env!("CARGO_PKG_VERSION")));
            if direct {
                builder = builder.no_proxy();
            }
            builder.build().map_err(|error| {
                JwtConfigError::new(
                    "http client",
                    plain(error).to_string(),
                    "could not be set up",
                )
            })
        };
        Ok(Self {
            direct: build(true)?,
            outbound: build(false)?,
        })
    }

    async fn get(&self, url: &str, max_bytes: usize) -> Result<Bytes, FetchError> {
        let is_loopback = WebUrl::parse(url).is_some_and(|url| url.is_loopback());
        let client = if is_loopback {
            &self.direct
        } else {
            &self.outbound
        };
        let mut response = client.get(url).send().await.map_err(plain)?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::new(format!("status {}", response.status())));
        }
        let too_large = || FetchError::new(format!("larger than {max_bytes} bytes"));
        let mut document = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(plain)? {
            if document.len() + chunk.len() > max_bytes {
                return Err(too_large());
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document.freeze())
    }
}

impl FetchDocument for HttpFetch {
    fn fetch<'a>(&'a self, url: &'a str, max_bytes: usize) -> Fetching<'a> {
        Box::pin(self.get(url, max_bytes))
    }
}

/// With the causes, which reqwest's own text leaves out.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn plain(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    FetchError::new(text)
}

//! URLs that a caller chose, and fetching them without being led to one's own network.
//!
//! A server that fetches what it is asked to fetch reaches more than the caller does: services of its machine
//! and its network, and what the cloud tells its machines. [`SafeUrl`] refuses what leads there by its own text, in every
//! spelling; [`SafeFetch`] judges the addresses that a name has at the moment of connecting, and each redirect like the first
//! URL.
//!
//! ```
//! use bartizan_validate::safe::net::{SafeFetch, SafeUrl};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let fetch: SafeFetch = SafeFetch::new(std::time::Duration::from_secs(10))?.follow_redirects(3); // at the start
//!
//! let url: SafeUrl = "https://www.example.com/news".parse()?; // an argument of the tool
//! # if false {
//! let page = fetch.get(&url, 1 << 20).await?; // of at most 1 MiB
//! # }
//! for no in ["http://www.example.com/", "https://2852039166/", "https://127.1/", "https://[::ffff:a9fe:a9fe]/",
//!     "https://localhost/", "https://metadata.google.internal/", "https://www.example.com:22/",
//!     "https://www.example.com@evil.example/", "file:///etc/passwd"] {
//!     assert!(no.parse::<SafeUrl>().is_err(), "{no}");
//! }
//! # Ok(()) }
//! ```
//!
//! Where only some hosts make sense, list them: see [`UrlRules`]. See [the guide](crate::guide::urls) for what goes wrong otherwise.

mod host;
mod rules;
mod safe_fetch;
mod safe_url;

pub use bartizan_fetch::Reach;
pub use rules::{PublicHttps, UrlRules};
pub use safe_fetch::{SafeFetch, SafeFetchError, SafeFetchErrorKind};
pub use safe_url::SafeUrl;

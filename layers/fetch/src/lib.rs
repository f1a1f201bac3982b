#![doc = include_str!("../README.md")]

mod document;
#[cfg(feature = "http")]
mod http_fetch;
#[cfg(feature = "http")]
mod reach;
mod url;

pub use document::{Document, FetchDocument, FetchError, Fetching};
#[cfg(feature = "http")]
pub use http_fetch::HttpFetch;
#[cfg(feature = "http")]
pub use reach::Reach;
pub use url::{WebUrl, unfetchable};

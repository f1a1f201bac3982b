#![doc = include_str!("../README.md")]

mod apply;
mod cache;
#[cfg(feature = "serde")]
mod config;
mod csp;
mod error;
mod hsts;
mod index;
mod layer;
mod panics;
mod profile;
mod rules;
mod service;
mod values;

#[cfg(feature = "serde")]
pub use config::{Profile, SecurityHeadersConfig};
pub use error::HeadersConfigError;
pub use hsts::Hsts;
pub use layer::SecurityHeadersLayer;
pub use service::{ResponseFuture, SecurityHeaders};

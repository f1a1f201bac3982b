#![doc = include_str!("../README.md")]

mod allowlist;
#[cfg(feature = "serde")]
mod config;
mod error;
mod host;
mod layer;
mod origin;
mod policy;
mod preflight;
mod response;
mod service;

#[cfg(feature = "serde")]
pub use config::CorsConfig;
pub use error::CorsConfigError;
pub use layer::CorsLayer;
pub use service::{Cors, ResponseFuture};

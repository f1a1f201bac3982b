#![doc = include_str!("../README.md")]

mod addresses;
mod certificate;
#[cfg(feature = "serde")]
mod config;
mod correlation;
mod entries;
mod error;
mod forwarded;
mod host;
mod hosts;
mod layer;
#[cfg(feature = "mtls")]
mod mtls;
mod networks;
mod node;
mod peer;
mod proxies;
mod route;
mod service;
mod tls;

#[cfg(feature = "serde")]
pub use config::NetworkConfig;
pub use error::NetworkConfigError;
pub use layer::NetworkLayer;
#[cfg(feature = "mtls")]
pub use mtls::{CertificateName, MtlsVerifier};
pub use peer::PeerAddr;
pub use proxies::ForwardedHeader;
pub use service::{Network, ResponseFuture};

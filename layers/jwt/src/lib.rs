#![doc = include_str!("../README.md")]

mod algorithm;
mod audience;
mod builder;
mod challenges;
mod claims;
mod config;
mod crypto;
mod error;
mod fetch;
#[cfg(feature = "http")]
mod http_fetch;
mod identity;
mod issuer;
mod issuer_config;
mod json;
mod judge;
mod key_source;
mod keys;
mod layer;
mod metadata;
mod metadata_service;
mod presets;
mod profile;
#[cfg(feature = "http")]
mod reach;
mod resource;
mod token;
mod token_cache;
mod url;
mod verifier;

pub use algorithm::Algorithm;
pub use builder::JwtVerifierBuilder;
pub use config::{JwtConfig, PublicKeyConfig};
pub use error::{JwtConfigError, KeysUnavailable};
pub use fetch::{Document, FetchDocument, FetchError, Fetching};
#[cfg(feature = "http")]
pub use http_fetch::HttpFetch;
pub use issuer_config::IssuerConfig;
pub use layer::JwtLayer;
pub use metadata::ProtectedResourceMetadata;
pub use metadata_service::MetadataService;
pub use profile::TokenProfile;
#[cfg(feature = "http")]
pub use reach::Reach;
pub use verifier::JwtVerifier;

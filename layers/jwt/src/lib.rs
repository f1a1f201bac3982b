#![doc = include_str!("../README.md")]

mod algorithm;
mod builder;
mod claims;
mod config;
mod crypto;
mod dpop;
mod error;
mod issuer;
mod issuer_config;
mod judge;
mod key_source;
mod keys;
mod layer;
mod presets;
mod profile;
mod remembered;
mod token;
mod verifier;
mod workos;

pub use algorithm::Algorithm;
pub use bartizan_fetch::{Document, FetchDocument, FetchError, Fetching};
#[cfg(feature = "http")]
pub use bartizan_fetch::{HttpFetch, Reach};
pub use bartizan_token::{
    MetadataService, ProtectedResourceMetadata, RequiredClaim, TokenConfigError as JwtConfigError,
};
pub use builder::JwtVerifierBuilder;
pub use config::{JwtConfig, PublicKeyConfig};
pub use dpop::DpopConfig;
pub use error::KeysUnavailable;
pub use issuer_config::IssuerConfig;
pub use layer::JwtLayer;
pub use profile::TokenProfile;
pub use verifier::JwtVerifier;
pub use workos::{EndedSession, WebhookRefused, WorkosWebhooks};

#![doc = include_str!("../README.md")]

mod assertion;
mod bearer;
mod builder;
mod client_auth;
mod config;
mod exchange;
mod github;
mod google;
mod introspection;
mod layer;
mod lookup;
mod verifier;

pub use assertion::AssertionAlgorithm;
pub use bartizan_token::{
    MetadataService, ProtectedResourceMetadata, TokenConfigError as OAuthConfigError,
};
pub use builder::OpaqueVerifierBuilder;
pub use client_auth::ClientAuth;
pub use config::OpaqueConfig;
pub use github::GitHub;
pub use google::Google;
pub use introspection::Introspection;
pub use layer::OAuthLayer;
pub use lookup::Provider;
pub use verifier::OpaqueVerifier;

#![doc = include_str!("../README.md")]

mod assertion;
mod breaker;
mod breakers;
mod budget;
mod builder;
mod client_auth;
mod config;
mod exchange;
mod flight;
mod github;
mod google;
mod introspection;
mod judge;
mod layer;
mod lookup;
mod memory;
mod outcome;
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

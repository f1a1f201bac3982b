#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: what goes wrong here must stop the test"
)]

mod behaviour;
pub mod contract;
mod echo;
mod frames;
mod issuer;
mod jwks;
mod key;
mod members;
mod mint;
mod postgres_server;
mod redis_server;
mod requests;
mod revision;
mod scripted;
mod token;

pub use behaviour::Behaviour;
pub use echo::{Echo, Received};
pub use frames::{FrameError, FrameSender, Frames};
pub use issuer::{Endpoint, Issuer};
pub use jwks::Jwks;
pub use key::{Algorithm, SigningKey};
pub use mint::TokenMint;
pub use postgres_server::PostgresServer;
pub use redis_server::RedisServer;
pub use requests::{McpRequest, call_tool, delete_session, get_stream, initialize, post, raw};
pub use revision::Revision;
pub use scripted::{Exchange, Exchanges, Scripted, ScriptedFuture, Sse};
pub use token::Token;

/// For the crate's own macros.
#[doc(hidden)]
pub mod __private {
    pub use axum;
    pub use http_body_util::BodyExt;
}

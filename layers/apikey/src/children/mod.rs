//! Narrower children of keys, which a holder derives without asking anybody.
//!
//! A key's secret makes an Ed25519 key pair ([`seed`]), whose public half the store keeps. A child is a chain of
//! [`block`]s: each says what narrows, names the public key of the next block, and is signed by the key before; the
//! [`chain`] ends with the last private key, without which nothing is proved and nothing can be added.

mod attenuation;
mod block;
mod block_id;
mod body;
mod chain;
mod error;
mod held_key;
mod judge;
mod lineage;
mod nursery;
mod seed;
mod wire;

pub use attenuation::Attenuation;
pub use block_id::BlockId;
pub use error::AttenuationError;
pub use held_key::HeldKey;

pub(crate) use block::Root;
pub(crate) use chain::{Chain, MOST_BLOCKS};
pub(crate) use nursery::Nursery;
pub(crate) use seed::Seed;

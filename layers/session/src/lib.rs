#![doc = include_str!("../README.md")]

mod binding;
mod body;
#[cfg(feature = "serde")]
mod config;
mod error;
mod events;
mod incoming;
mod keys;
mod layer;
mod outgoing;
mod service;
mod tasks;

pub use body::SessionBody;
#[cfg(feature = "serde")]
pub use config::{SessionConfig, SessionSecret};
pub use error::SessionConfigError;
pub use keys::SessionKeys;
pub use layer::SessionLayer;
pub use service::{ResponseFuture, Session};
#[cfg(feature = "redis")]
pub use tasks::RedisOwners;
#[cfg(feature = "serde")]
pub use tasks::TaskOwnerConfig;
pub use tasks::{
    MemoryOwners, OwnedTasks, OwnerKey, Reply, TaskBody, TaskFuture, TaskKey, TaskOwner,
    TaskOwnerLayer, TaskOwners, TaskRules, Unclaimed,
};

//! Tasks bound to the principals whose calls began them.

mod answer;
mod body;
#[cfg(feature = "serde")]
mod config;
mod event;
mod future;
mod keys;
mod layer;
mod memory;
mod message;
mod owners;
#[cfg(feature = "redis")]
mod redis;
mod requests;
mod service;

pub use body::TaskBody;
#[cfg(feature = "serde")]
pub use config::TaskOwnerConfig;
pub use future::TaskFuture;
pub use keys::{OwnerKey, TaskKey};
pub use layer::{TaskOwnerLayer, TaskRules};
pub use memory::MemoryOwners;
pub use owners::{Reply, TaskOwners, Unclaimed};
#[cfg(feature = "redis")]
pub use redis::RedisOwners;
pub use service::{OwnedTasks, TaskOwner};

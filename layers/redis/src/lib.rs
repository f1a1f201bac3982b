#![doc = include_str!("../README.md")]

mod config_error;
mod connection;
mod entry;
mod fault;
mod follower;
mod log;
mod page;
mod script;
mod shared;
mod slot;

pub use config_error::RedisConfigError;
pub use connection::{Redis, RedisBuilder};
pub use fault::{RedisFault, RedisFaultKind};
pub use redis::{Cmd, Pipeline, Value};
pub use script::Script;
pub use shared::{NotLoaded, NotShared, OutOfTouch, SharedRevocations, SharedRevocationsBuilder};

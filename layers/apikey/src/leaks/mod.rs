//! Where whoever finds a key has it revoked.

mod endpoint;
mod report;
mod revoke;

pub use endpoint::{LeakEndpoint, LeakFuture};

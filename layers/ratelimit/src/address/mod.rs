//! The first place: by address, before anybody knows who is calling.

mod failures;
mod layer;
mod limits;
mod service;

pub use layer::AddressLimitLayer;
pub use limits::{AddressLimits, AddressLimitsBuilder};
pub use service::{AddressLimit, ResponseFuture};

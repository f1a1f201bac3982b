//! Verification keys: how they are read, found, fetched and refreshed.

mod discovery;
mod jwk;
mod load;
mod pem;
mod remote;
mod set;

pub(crate) use jwk::read as read_jwk;
pub(crate) use load::emit_skipped;
pub(crate) use pem::from_pem;
pub(crate) use remote::{Current, Flight, Origin, Refresh, Remote, Schedule, Waiter};
pub(crate) use set::{Found, Generation, Key, KeySet, SkippedKey};

//! Verification keys: how they are read, found, fetched and refreshed.

mod discovery;
mod flight;
mod jwk;
mod load;
mod pem;
mod remote;
mod schedule;
mod set;
mod waiting;

pub(crate) use flight::{Flight, Refresh};
pub(crate) use jwk::read as read_jwk;
pub(crate) use load::emit_skipped;
pub(crate) use pem::from_pem;
pub(crate) use remote::{Current, Newer, Origin, Remote};
pub(crate) use schedule::Schedule;
pub(crate) use set::{Found, Generation, Key, KeySet, SkippedKey};
pub(crate) use waiting::{Waiter, WaitingRoom};

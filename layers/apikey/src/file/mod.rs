//! Records in one file that several processes share.

mod access;
mod content;
mod error;
mod kept;
mod place;
mod seen;
mod store;
mod unfinished;

pub use error::KeyFileError;
pub use store::FileStore;

/// Largest file, in bytes.
const MOST_BYTES: u64 = 64 << 20;

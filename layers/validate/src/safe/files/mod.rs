//! Files of one directory, by capability.

mod file_error;
mod listing;
mod scoped_dir;

pub use file_error::{FileError, FileErrorKind};
pub use listing::{Entry, EntryKind, Listing};
pub use scoped_dir::ScopedDir;

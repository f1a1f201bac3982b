//! Names of tools, prompts, methods and resources, and patterns of them.
//!
//! Names are compared byte for byte; nothing is folded, decoded or normalised (TA-5). In names `*` stands for
//! any run of characters. In URIs it stays within a segment, and `**` alone between slashes is any number of
//! segments, none included. There is no other syntax, and what looks like some is an error.
//!
//! ```
//! use bartizan_core::names::{Pattern, Shape, uri};
//! let notes = Pattern::parse("*_note", Shape::Flat)?;
//! assert!(notes.matches("read_note") && !notes.matches("read_notes"));
//! let public = Pattern::parse("file:///public/**", Shape::Uri)?;
//! assert!(public.matches(uri::name_of("file:///public/a/b?page=2")));
//! // What could be read in a second way is no name at all.
//! assert!(uri::unclear("file:///public/../etc/passwd").is_some());
//! assert!(Pattern::parse("file:///[ab]", Shape::Uri).is_err());
//! # Ok::<(), &'static str>(())
//! ```

mod authority;
pub mod capability;
mod glob;
mod methods;
mod pattern;
pub mod uri;

pub use glob::Glob;
pub use methods::METHODS;
pub use pattern::{Pattern, Shape};

/// Longest name or URI that is judged, in bytes.
pub const NAME_BYTES: usize = 4096;

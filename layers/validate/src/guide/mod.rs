//! The safe types in use: for each, the wrong way, which the examples show to be open, and the right way, which they show to
//! be closed.
//!
//! | an argument that | page | feature |
//! |---|---|---|
//! | people or models read | [`texts`] | `safe` |
//! | names something | [`slugs`] | `safe` |
//! | names a file | `paths` | `files` |
//! | goes to another program | `commands` | `command`, on Unix |
//! | is a part of a statement | [`sql`], [`sqlx`] | `safe` |
//! | is fetched | `urls` | `net` |
//! | is shown as HTML | `html` | `html` |
//!
//! What they have in common:
//!
//! - A field of the arguments has the type, so that the value is judged before the tool's first line runs, and nothing further in
//!   judges it again.
//! - What is refused is not repaired. A value that was changed until it passed is not what was asked for, and the change can
//!   make of it what was forbidden. Where repairing is meant, it has a name: `normalized`, `sanitized`.
//! - The type of the argument is not all: each page also has what the value is to be used with.

#[cfg(all(feature = "command", unix))]
#[doc = include_str!("commands.md")]
pub mod commands {}

#[cfg(feature = "html")]
#[doc = include_str!("html.md")]
pub mod html {}

#[cfg(feature = "files")]
#[doc = include_str!("paths.md")]
pub mod paths {}

#[doc = include_str!("slugs.md")]
pub mod slugs {}

#[doc = include_str!("sql.md")]
pub mod sql {}

#[doc = include_str!("sqlx.md")]
pub mod sqlx {}

#[doc = include_str!("texts.md")]
pub mod texts {}

#[cfg(feature = "net")]
#[doc = include_str!("urls.md")]
pub mod urls {}

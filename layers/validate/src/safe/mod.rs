//! Types for the arguments of tools that cannot hold a dangerous value.
//!
//! Each is checked once, where it is made or deserialized; from then on the compiler keeps it apart
//! from text that nobody has looked at. An error names the rule and never repeats the value, so that it can
//! go back to the caller (IV-2). With the feature `schemars` the rule stands in the tool's schema
//! too, where clients and models read it before they call. The [guide](crate::guide) shows for each what goes wrong without it.
//!
//! | instead of a `String` that | take | feature |
//! |---|---|---|
//! | people or models read | [`SafeText`], [`SafeLine`] | `safe` |
//! | names something in URLs, files, logs | [`Slug`] | `safe` |
//! | goes to another program | [`SafeArg`], and `SafeCommand` to run it | `safe`, `command` |
//! | names a column or a table, or is searched for | [`sql`] | `safe` |
//! | is shown as HTML | `SafeHtml` | `html` |
//! | is fetched | `SafeUrl`, and `SafeFetch` to fetch it | `net` |
//! | names a file | [`SafePath`], and `ScopedDir` to open it | `safe`, `files` |

mod arg;
mod characters;
#[cfg(all(feature = "command", unix))]
pub mod command;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "html")]
pub mod html;
#[cfg(feature = "net")]
pub mod net;
mod path;
mod read;
mod refused;
mod slug;
pub mod sql;
mod text;

pub use arg::SafeArg;
pub use path::SafePath;
pub use refused::Refused;
pub use slug::Slug;
pub use text::{SafeLine, SafeText};

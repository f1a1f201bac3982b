//! What one principal is shown of the lists of tools, resources, templates and prompts (TA-2).

mod body;
mod events;
mod heads;
pub(crate) mod json;
mod lens;
mod list;
mod names;
mod service;
mod view;
mod whole;

pub use body::ListBody;
pub(crate) use list::List;
pub use service::{ListFilter, ListFuture};

/// How lists are filtered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListRules {
    /// Whether what only scopes are missing for is hidden.
    pub(crate) hide_without_scopes: bool,
    /// Most bytes of an answer, or of one event of a stream.
    pub(crate) most_bytes: usize,
}

use super::{json::invalid, walk::is_alike};
use crate::Denial;

/// The members of a message that are read.
#[derive(Clone, Copy)]
pub(super) enum MessageMember {
    JsonRpc,
    Id,
    Method,
    Params,
    Answer,
    Other,
    Ambiguous,
}

impl MessageMember {
    pub(super) fn of(key: &str) -> Self {
        match key {
            "jsonrpc" => Self::JsonRpc,
            "id" => Self::Id,
            "method" => Self::Method,
            "params" => Self::Params,
            "result" | "error" => Self::Answer,
            _ if is_like(
                key,
                &["jsonrpc", "id", "method", "params", "result", "error"],
            ) =>
            {
                Self::Ambiguous
            }
            _ => Self::Other,
        }
    }
}

/// The members of its params that are read.
#[derive(Clone, Copy)]
pub(super) enum ParamsMember {
    Name,
    Uri,
    Task,
    Reference,
    Arguments,
    Meta,
    Other,
    Ambiguous,
}

impl ParamsMember {
    pub(super) fn of(key: &str) -> Self {
        match key {
            "name" => Self::Name,
            "uri" => Self::Uri,
            "taskId" => Self::Task,
            "ref" => Self::Reference,
            "arguments" => Self::Arguments,
            "_meta" => Self::Meta,
            _ if is_like(key, &["name", "uri", "taskId", "ref", "arguments", "_meta"]) => {
                Self::Ambiguous
            }
            _ => Self::Other,
        }
    }
}

/// Whether a key differs from a known one only in case, by the folding of parsers that ignore
/// case: such a parser would take it for the known one.
pub(super) fn is_like(key: &str, known: &[&str]) -> bool {
    if key.is_ascii() {
        return known.iter().any(|name| name.eq_ignore_ascii_case(key));
    }
    known.iter().any(|name| is_alike(key, name))
}

pub(super) fn ambiguous() -> Denial {
    invalid("a member differs from a known one only in case")
}

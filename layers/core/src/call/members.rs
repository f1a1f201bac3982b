use super::walk::is_alike;

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
    pub(super) fn of(key: &[u8]) -> Self {
        match key {
            b"jsonrpc" => Self::JsonRpc,
            b"id" => Self::Id,
            b"method" => Self::Method,
            b"params" => Self::Params,
            b"result" | b"error" => Self::Answer,
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
    pub(super) fn of(key: &[u8]) -> Self {
        match key {
            b"name" => Self::Name,
            b"uri" => Self::Uri,
            b"taskId" => Self::Task,
            b"ref" => Self::Reference,
            b"arguments" => Self::Arguments,
            b"_meta" => Self::Meta,
            _ if is_like(key, &["name", "uri", "taskId", "ref", "arguments", "_meta"]) => {
                Self::Ambiguous
            }
            _ => Self::Other,
        }
    }
}

/// Whether a key differs from a known one only in case, by the folding of parsers that ignore
/// case: such a parser would take it for the known one.
pub(super) fn is_like(key: &[u8], known: &[&str]) -> bool {
    if key.is_ascii() {
        return known
            .iter()
            .any(|name| name.as_bytes().eq_ignore_ascii_case(key));
    }
    // A name of a text that was checked is none that is not.
    let Ok(key) = std::str::from_utf8(key) else {
        return true;
    };
    known.iter().any(|name| is_alike(key, name))
}

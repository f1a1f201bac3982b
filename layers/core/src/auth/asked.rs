use http::{HeaderValue, Method};

/// What a request says of itself before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To listen.
    Listen,
    /// For an answer.
    Call,
    /// One or the other: what the body says counts, and to listen where nobody read it.
    Either,
}

/// What its header fields say of that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stated {
    has_method: bool,
    listens: bool,
    is_modern: bool,
}

pub(super) const LISTEN: &str = "subscriptions/listen";
/// The first revision in which a `POST` can listen. Later ones are greater, as text too.
const MODERN: &[u8] = b"2026-07-28";

impl Stated {
    /// Looks at one of the fields, whichever it is.
    #[inline]
    pub(super) fn take(&mut self, name: &str, value: &HeaderValue) {
        match name {
            "mcp-method" => {
                self.has_method = true;
                self.listens |= value == LISTEN;
            }
            "mcp-protocol-version" => self.is_modern |= value.as_bytes() >= MODERN,
            _ => {}
        }
    }
}

impl Asked {
    pub(super) fn by(method: &Method, stated: &Stated) -> Self {
        match stated {
            _ if *method != Method::POST => Self::Listen,
            Stated { listens: true, .. } => Self::Listen,
            Stated {
                has_method: true, ..
            } => Self::Call,
            Stated {
                is_modern: true, ..
            } => Self::Either,
            _ => Self::Call,
        }
    }
}

//! What an MCP request asks for, read once and strictly.
//!
//! A body that two parsers read differently is an authorization bypass, so what is ambiguous is
//! refused before anything is decided (TA-4, TR-11, TR-28):
//!
//! | refused | answer |
//! |---|---|
//! | HTTP methods other than POST, GET, DELETE | 405 |
//! | a content type that is not JSON in UTF-8, a content encoding | 415 |
//! | a body beyond [`CallLimits::body_bytes`], counted as it streams | 413 |
//! | a body that takes longer than [`CallLimits::upload_time`] | 408 |
//! | invalid UTF-8, a byte order mark, broken JSON, trailing data | 400, −32700 |
//! | batches, repeated members at any level, members that differ from a known one only in case or that `serde_json` keeps to itself, nesting or members beyond a limit, ids that are neither string nor integer | 400, −32600 |
//! | a name or `_meta` that the method needs and that is not there | 400, −32602 |
//! | mirrored headers that are repeated, undecodable or disagree with the body, whatever the version | 400, −32020 |
//! | an unknown protocol version | 400, −32022 |
//! | MCP headers beyond a limit | 431 |
//!
//! What passes is handed on byte for byte (IV-12). `GET` and `DELETE` are calls too; a body that one
//! of them brings unannounced, as HTTP/2 permits, is dropped unread. A null character in a method or
//! name is refused; arguments may hold one. `X-HTTP-Method-Override` and its like are not looked at:
//! nothing inside may act on them.
//!
//! `Mcp-Param-*` headers are single and decodable. Which argument each of them mirrors, only the
//! tool's schema tells: give it to [`MirroredParams`], and they are compared as well (N-7).

mod body;
#[cfg(feature = "serde")]
mod config;
mod envelope;
mod fault;
mod guard;
mod head;
mod json;
mod layer;
mod limits;
mod members;
mod mirror;
mod params;
mod read;
#[cfg(test)]
mod reference;
mod revision;
mod scan;
mod sentinel;
mod service;
mod span;
mod walk;

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use bytestring::ByteString;

pub use body::ReadBody;
#[cfg(feature = "serde")]
pub use config::CallConfig;
pub use guard::{CallGuard, CallGuardFuture, JudgeCall, Judged, Pass, Pending};
pub use json::Measures;
pub use layer::CallLayer;
pub use limits::{CallLimits, CallLimitsError};
pub use params::{MirroredParams, MirroredParamsError};
pub use read::{Begun, ReadCall};
pub use revision::Revision;
pub use scan::{Broken, Tokens};
pub use service::{CallFuture, CallRules, CallService};
pub use walk::{folded, is_alike};

use self::span::{Span, Text};
use crate::{TraceParent, printable};

/// What an MCP request asks for. It lies in the request's context, and a clone shares the body with it.
#[derive(Clone)]
pub struct Call {
    kind: CallKind,
    revision: Option<Revision>,
    method: Cow<'static, str>,
    subject: Option<Subject>,
    name: Option<Text>,
    id: Option<Span>,
    params: Option<Span>,
    arguments: Option<Span>,
    trace: Option<TraceParent>,
    /// Checked once to be UTF-8.
    body: ByteString,
    measures: Measures,
}

/// The shapes that a call has on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CallKind {
    /// A JSON-RPC request: it has an id and is answered.
    Request,
    /// A JSON-RPC notification: no id, no answer.
    Notification,
    /// A JSON-RPC response to a request of the server (revisions up to 2025-11-25).
    Response,
    /// HTTP `GET`: opens or resumes a stream.
    #[default]
    Stream,
    /// HTTP `DELETE`: ends a session.
    EndSession,
}

/// What sort of thing a method acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subject {
    /// A tool, by name.
    Tool,
    /// A prompt, by name.
    Prompt,
    /// A resource, by URI or URI template.
    Resource,
    /// A task, by id.
    Task,
}

impl Call {
    /// The shape of the call.
    #[inline]
    pub fn kind(&self) -> CallKind {
        self.kind
    }

    /// The JSON-RPC method, as `tools/call`; empty for anything but requests and notifications.
    #[inline]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What sort of thing [`name`](Self::name) names; `None` if the method acts on nothing named.
    #[inline]
    pub fn subject(&self) -> Option<Subject> {
        self.subject
    }

    /// What the method acts on, unescaped: the name of the tool or prompt, the URI of the
    /// resource, the id of the task, the reference of a completion.
    #[inline]
    pub fn name(&self) -> Option<&str> {
        let name = self.name.as_ref()?;
        Some(name.within(&self.body))
    }

    /// The JSON-RPC id as the JSON text that was sent: `7`, `"7"`.
    #[inline]
    pub fn id(&self) -> Option<&str> {
        self.id?.within(&self.body)
    }

    /// The protocol revision that the request declares; `None` if it declares none, which
    /// revisions up to 2025-11-25 permit.
    #[inline]
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The `params` object as JSON text.
    #[inline]
    pub fn params(&self) -> Option<&str> {
        self.params?.within(&self.body)
    }

    /// The `arguments` of `tools/call` or `prompts/get` as JSON text.
    #[inline]
    pub fn arguments(&self) -> Option<&str> {
        self.arguments?.within(&self.body)
    }

    /// Where the call stands in a trace, as its `_meta.traceparent` says.
    #[inline]
    pub fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// The whole body, exactly as received; empty for `GET` and `DELETE`.
    #[inline]
    pub fn body(&self) -> &Bytes {
        self.body.as_bytes()
    }

    /// How large and how deep the body is, for a later layer with tighter limits.
    #[inline]
    pub fn measures(&self) -> Measures {
        self.measures
    }

    /// The same in memory of its own, to be kept for longer than its request: the body may be a part of a
    /// larger buffer, which it would keep as well.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            body: ByteString::from(&*self.body),
            ..self.clone()
        }
    }
}

impl fmt::Debug for Call {
    /// Shows what is called; arguments stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("kind", &self.kind)
            .field("method", &format_args!("{}", printable(self.method(), 80)))
            .field(
                "name",
                &self.name().map(|name| printable(name, 200).to_string()),
            )
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

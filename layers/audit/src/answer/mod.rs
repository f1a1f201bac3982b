//! How a request was answered, read from the frames of the answer as they pass, without keeping any.

mod events;
mod json;
#[cfg(test)]
mod tests;
mod text;

use bartizan_core::{Call, CallKind, Media};
use http::HeaderMap;

use events::Events;
use json::Scanner;

/// What the answer's body says of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answer {
    /// A result, and no failure of a tool.
    Result,
    /// The result of a tool that says `isError`.
    ToolError,
    /// A JSON-RPC error, with its code if that is an integer.
    RpcError(Option<i64>),
    /// The body ended, and did not answer the request. Up to revision 2025-11-25 a stream may be resumed.
    Missing,
    /// The body is no JSON text, or nested deeper than 127.
    Malformed,
    /// Nobody looked: the body is encoded, or of a media type that is not MCP's.
    Unread,
}

/// The `resultType` of a result (N-20): a word that is known, or `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultType(pub(crate) &'static str);

impl ResultType {
    const KNOWN: [&'static str; 3] = ["complete", "input_required", "task"];

    fn of(text: Option<&[u8]>) -> Self {
        let mut known = Self::KNOWN.into_iter();
        Self(
            known
                .find(|known| Some(known.as_bytes()) == text)
                .unwrap_or("other"),
        )
    }
}

impl Answer {
    /// A stable word for records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::ToolError => "tool_error",
            Self::RpcError(_) => "rpc_error",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unread => "unread",
        }
    }

    /// The code of a JSON-RPC error.
    pub fn code(self) -> Option<i64> {
        match self {
            Self::RpcError(code) => code,
            _ => None,
        }
    }
}

/// The answer to the request, once there is one.
type Seen = Option<(Answer, Option<ResultType>)>;

/// Of several answers the worse counts, and of two failures the first.
fn worse(one: Seen, other: Seen) -> Seen {
    match one {
        None | Some((Answer::Result, _)) => other.or(one),
        _ => one,
    }
}

/// The request's id, as answers may name it: a string, unescaped, or the text of an integer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Id<'a> {
    Text(&'a str),
    Number(&'a str),
    None,
}

/// The reader of one answer. Of fixed size, whatever comes.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The id, where its text has escapes.
    unescaped: Option<Box<str>>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// The request wants no answer.
    Ignored,
    Unread,
    Json(Scanner),
    Events(Events),
}

impl Reading {
    /// For the answer to this call, by its head.
    pub(crate) fn begin(call: Option<&Call>, headers: &HeaderMap) -> Self {
        let Some(call) = call.filter(|call| call.kind() == CallKind::Request) else {
            return Self::ignoring();
        };
        let body = match Media::of(headers) {
            _ if !Media::is_plain(headers) => Body::Unread,
            Media::Json => Body::Json(Scanner::new(true)),
            Media::EventStream => Body::Events(Events::new()),
            _ => Body::Unread,
        };
        let id = call.id().unwrap_or_default();
        let unescaped = id.contains('\\').then(|| {
            let text: Option<String> = serde_json::from_str(id).ok();
            text.unwrap_or_default().into_boxed_str()
        });
        Self { unescaped, body }
    }

    pub(crate) fn ignoring() -> Self {
        Self {
            unescaped: None,
            body: Body::Ignored,
        }
    }

    pub(crate) fn feed(&mut self, frame: &[u8], call: Option<&Call>) {
        let id = id_of(&self.unescaped, call);
        match &mut self.body {
            Body::Ignored | Body::Unread => {}
            Body::Json(scanner) => scanner.feed(frame, id),
            Body::Events(events) => events.feed(frame, id),
        }
    }

    /// Whether the request is answered, so that nobody need wait for more.
    pub(crate) fn is_answered(&self) -> bool {
        match &self.body {
            Body::Events(events) => events.seen.is_some(),
            _ => false,
        }
    }

    /// What was seen; `is_whole` says that the body has ended. `None` if no answer was wanted, or what came
    /// of it says nothing.
    pub(crate) fn end(&mut self, is_whole: bool, is_empty: bool, call: Option<&Call>) -> Seen {
        let id = id_of(&self.unescaped, call);
        let seen = match &mut self.body {
            Body::Ignored => return None,
            Body::Unread if is_empty => None,
            Body::Unread => return Some((Answer::Unread, None)),
            Body::Json(scanner) => {
                let is_blank = scanner.is_blank();
                if !scanner.end(id) && !is_blank && is_whole {
                    return Some((Answer::Malformed, None));
                }
                scanner.seen
            }
            // What no empty line ended is no event.
            Body::Events(events) => events.seen,
        };
        seen.or(is_whole.then_some((Answer::Missing, None)))
    }
}

fn id_of<'a>(unescaped: &'a Option<Box<str>>, call: Option<&'a Call>) -> Id<'a> {
    if let Some(text) = unescaped {
        return Id::Text(text);
    }
    let Some(id) = call.and_then(Call::id) else {
        return Id::None;
    };
    match id.strip_prefix('"').and_then(|id| id.strip_suffix('"')) {
        Some(text) => Id::Text(text),
        // As most programs write it.
        None if id == "-0" => Id::Number("0"),
        None => Id::Number(id),
    }
}

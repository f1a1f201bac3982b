use std::borrow::Cow;

use super::{
    CallKind, CallLimits, Measures, Revision, Subject,
    fault::Fault,
    json::{Walker, invalid},
    members::{MessageMember, ParamsMember, is_like},
    span::{Span, Text},
};
use crate::{Denial, DenialKind, TraceParent};

/// One JSON-RPC message, read for what a decision needs.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) kind: CallKind,
    pub(super) method: Cow<'static, str>,
    pub(super) subject: Option<Subject>,
    pub(super) name: Option<Text>,
    pub(super) id: Option<Span>,
    pub(super) params: Option<Span>,
    pub(super) arguments: Option<Span>,
    pub(super) meta: Meta,
    pub(super) measures: Measures,
}

/// The members of `_meta` that are read: those that revision 2026-07-28 requires, and the trace.
#[derive(Debug, Default)]
pub(super) struct Meta {
    /// The revision that the body states, or the text that names none.
    pub(super) version: Option<Result<Revision, Box<str>>>,
    pub(super) has_capabilities: bool,
    /// Where it stands in a trace, if it says so in the standard's form.
    pub(super) trace: Option<TraceParent>,
}

/// Longest name, URI or version that is read, in bytes.
const TEXT_BYTES: usize = 16 << 10;

impl Envelope {
    /// Reads a body. The refusal echoes the request's id if the whole message could be read.
    pub(super) fn read(text: &str, limits: &CallLimits) -> Result<Self, Denial> {
        Span::fit(text)?;
        let mut walker = Walker::new(text, limits);
        match walker.peek()? {
            b'{' => {}
            b'[' => return Err(invalid("batches are not accepted")),
            _ => {
                walker.skip()?;
                walker.finish()?;
                return Err(invalid("the body is not a JSON-RPC message"));
            }
        }
        let mut message = Message::default();
        message.take_members(&mut walker)?;
        message.envelope.measures = walker.finish()?;
        let id = message.envelope.id.filter(|_| message.answers == 0);
        let echoed = id.and_then(|span| span.within(text));
        match message.complete() {
            Ok(()) => Ok(message.envelope),
            Err(denial) => Err(denial.with_rpc_id(echoed)),
        }
    }
}

/// The message while it is being read; members come in any order.
#[derive(Default)]
struct Message {
    envelope: Envelope,
    version_seen: bool,
    method: Option<Cow<'static, str>>,
    answers: u8,
    params: Params,
}

/// What a name may be taken from.
#[derive(Default)]
struct Params {
    name: Option<Text>,
    uri: Option<Text>,
    task: Option<Text>,
    reference: Option<(Subject, Text)>,
}

impl Message {
    fn take_members(&mut self, walker: &mut Walker<'_>) -> Result<(), Fault> {
        walker.object(MessageMember::of, |walker, member| {
            self.take(member, walker)
        })
    }

    fn take(&mut self, member: MessageMember, walker: &mut Walker<'_>) -> Result<(), Fault> {
        match member {
            MessageMember::JsonRpc => {
                self.version_seen = walker.with_string(|text| text == "2.0")? == Some(true);
            }
            MessageMember::Id => self.envelope.id = Some(read_id(walker)?),
            MessageMember::Method => {
                let method = walker.with_string(method_of)?.flatten();
                self.method = Some(method.ok_or(Fault::NoMethod)?);
            }
            MessageMember::Params => self.take_params(walker)?,
            MessageMember::Answer => {
                self.answers += 1;
                walker.skip()?;
            }
            MessageMember::Other => {
                walker.skip()?;
            }
            MessageMember::Ambiguous => return Err(Fault::AmbiguousMember),
        }
        Ok(())
    }

    fn take_params(&mut self, walker: &mut Walker<'_>) -> Result<(), Fault> {
        if walker.peek()? != b'{' {
            return Err(Fault::NoParams);
        }
        let start = walker.position();
        walker.object(ParamsMember::of, |walker, member| {
            match member {
                ParamsMember::Name => self.params.name = walker.string(TEXT_BYTES)?,
                ParamsMember::Uri => self.params.uri = walker.string(TEXT_BYTES)?,
                ParamsMember::Task => self.params.task = walker.string(TEXT_BYTES)?,
                ParamsMember::Reference => self.params.reference = read_reference(walker)?,
                ParamsMember::Arguments => {
                    self.envelope.arguments = Some(Span::of(&walker.skip()?));
                }
                ParamsMember::Meta => self.envelope.meta = read_meta(walker)?,
                ParamsMember::Other => {
                    walker.skip()?;
                }
                ParamsMember::Ambiguous => return Err(Fault::AmbiguousMember),
            }
            Ok(())
        })?;
        self.envelope.params = Some(Span::of(&(start..walker.position())));
        Ok(())
    }

    fn complete(&mut self) -> Result<(), Denial> {
        if !self.version_seen {
            return Err(invalid("jsonrpc is not 2.0"));
        }
        let has_id = self.envelope.id.is_some();
        self.envelope.kind = match (&self.method, has_id, self.answers) {
            (Some(_), true, 0) => CallKind::Request,
            (Some(_), false, 0) => CallKind::Notification,
            (None, true, 1) => CallKind::Response,
            _ => return Err(invalid("neither a request, a notification nor a response")),
        };
        self.envelope.method = self.method.take().unwrap_or_default();
        let (subject, member, name) = match &*self.envelope.method {
            "tools/call" => (Subject::Tool, "name", self.params.name.take()),
            "prompts/get" => (Subject::Prompt, "name", self.params.name.take()),
            "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/directory/read"
            | "skills/get" => (Subject::Resource, "uri", self.params.uri.take()),
            "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => {
                (Subject::Task, "taskId", self.params.task.take())
            }
            "completion/complete" => match self.params.reference.take() {
                Some((subject, name)) => (subject, "ref", Some(name)),
                None => return Err(missing("ref")),
            },
            _ => return Ok(()),
        };
        let name = name.ok_or_else(|| missing(member))?;
        if name.has_null() {
            return Err(params("a name has a null character"));
        }
        self.envelope.subject = Some(subject);
        self.envelope.name = Some(name);
        Ok(())
    }
}

/// The methods that are called most; they need no memory of their own.
const USUAL: [&str; 10] = [
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/list",
    "prompts/get",
    "prompts/list",
    "tasks/get",
    "completion/complete",
    "notifications/initialized",
    "ping",
];

fn method_of(text: &str) -> Option<Cow<'static, str>> {
    if let Some(usual) = USUAL.iter().find(|usual| **usual == text) {
        return Some(Cow::Borrowed(usual));
    }
    let is_name = text.len() <= CallLimits::METHOD_BYTES && !text.contains('\0');
    is_name.then(|| Cow::Owned(text.to_owned()))
}

/// An id is a string or an integer (PH-5).
fn read_id(walker: &mut Walker<'_>) -> Result<Span, Fault> {
    let span = Span::of(&walker.skip()?);
    let id = span.within(walker.text()).unwrap_or_default();
    let digits = id.strip_prefix('-').unwrap_or(id);
    let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !(id.starts_with('"') || is_integer) {
        return Err(Fault::NoId);
    }
    if id.len() > CallLimits::ID_BYTES {
        return Err(Fault::LongId);
    }
    Ok(span)
}

/// The `ref` of a completion: a prompt's name or a resource's URI, as its type says.
fn read_reference(walker: &mut Walker<'_>) -> Result<Option<(Subject, Text)>, Fault> {
    if walker.peek()? != b'{' {
        walker.skip()?;
        return Ok(None);
    }
    let (mut kind, mut name, mut uri) = (None, None, None);
    let known = |key: &[u8]| match key {
        b"type" => Some(0),
        b"name" => Some(1),
        b"uri" => Some(2),
        _ if is_like(key, &["type", "name", "uri"]) => None,
        _ => Some(3),
    };
    walker.object(known, |walker, found| {
        match found.ok_or(Fault::AmbiguousMember)? {
            0 => kind = walker.string(TEXT_BYTES)?,
            1 => name = walker.string(TEXT_BYTES)?,
            2 => uri = walker.string(TEXT_BYTES)?,
            _ => {
                walker.skip()?;
            }
        }
        Ok(())
    })?;
    let kind = kind.as_ref().map(|kind| kind.within(walker.text()));
    Ok(match kind {
        Some("ref/prompt") => name.map(|name| (Subject::Prompt, name)),
        Some("ref/resource") => uri.map(|uri| (Subject::Resource, uri)),
        _ => None,
    })
}

fn read_meta(walker: &mut Walker<'_>) -> Result<Meta, Fault> {
    if walker.peek()? != b'{' {
        return Err(Fault::NoMeta);
    }
    let mut meta = Meta::default();
    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    let known = |key: &[u8]| match key {
        _ if key == VERSION.as_bytes() => Some(0),
        _ if key == CAPABILITIES.as_bytes() => Some(1),
        b"traceparent" => Some(2),
        _ if is_like(key, &[VERSION, CAPABILITIES]) => None,
        _ => Some(3),
    };
    walker.object(known, |walker, found| {
        match found.ok_or(Fault::AmbiguousMember)? {
            0 => {
                let version = walker.with_string(|text| {
                    Revision::parse(text).ok_or_else(|| text.chars().take(64).collect())
                })?;
                meta.version = Some(version.ok_or(Fault::NoVersion)?);
            }
            1 => {
                meta.has_capabilities = walker.peek()? == b'{';
                walker.skip()?;
            }
            2 => {
                let trace = walker.with_string(|text| TraceParent::parse(text.as_bytes()))?;
                meta.trace = trace.flatten();
            }
            _ => {
                walker.skip()?;
            }
        }
        Ok(())
    })?;
    Ok(meta)
}

pub(super) fn params(message: &'static str) -> Denial {
    Denial::new(DenialKind::ParamsInvalid, message).with_message(message)
}

fn missing(member: &'static str) -> Denial {
    params(match member {
        "name" => "the method needs a name in its params",
        "uri" => "the method needs a uri in its params",
        "taskId" => "the method needs a taskId in its params",
        _ => "the method needs a ref in its params",
    })
}

use std::{borrow::Cow, ops::Range};

use super::{
    CallKind, CallLimits, Measures, Revision, Subject,
    json::{Object, Walker, invalid, malformed},
    members::{MessageMember, ParamsMember, ambiguous, is_like},
};
use crate::{Denial, DenialKind, TraceParent};

/// One JSON-RPC message, read for what a decision needs.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) kind: CallKind,
    pub(super) method: Cow<'static, str>,
    pub(super) subject: Option<Subject>,
    pub(super) name: Option<Box<str>>,
    pub(super) id: Option<Range<usize>>,
    pub(super) params: Option<Range<usize>>,
    pub(super) arguments: Option<Range<usize>>,
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
    pub(super) fn read(body: &[u8], limits: &CallLimits) -> Result<Self, Denial> {
        let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
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
        let mut object = Object::default();
        let mut member = walker.open(&mut object, MessageMember::of)?;
        while let Some(found) = member {
            message.take(found, &mut walker, text)?;
            member = walker.next(&mut object, MessageMember::of)?;
        }
        message.envelope.measures = walker.finish()?;
        let id = message.envelope.id.clone().filter(|_| message.answers == 0);
        let echoed = id.and_then(|range| text.get(range));
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
    name: Option<Box<str>>,
    uri: Option<Box<str>>,
    task: Option<Box<str>>,
    reference: Option<(Subject, Box<str>)>,
}

impl Message {
    fn take(
        &mut self,
        member: MessageMember,
        walker: &mut Walker<'_>,
        text: &str,
    ) -> Result<(), Denial> {
        match member {
            MessageMember::JsonRpc => {
                self.version_seen = walker.with_string(|text| text == "2.0")? == Some(true);
            }
            MessageMember::Id => self.envelope.id = Some(read_id(walker, text)?),
            MessageMember::Method => {
                let method = walker.with_string(method_of)?.flatten();
                self.method = Some(method.ok_or_else(|| invalid("the method is not a name"))?);
            }
            MessageMember::Params => self.take_params(walker)?,
            MessageMember::Answer => {
                self.answers += 1;
                walker.skip()?;
            }
            MessageMember::Other => {
                walker.skip()?;
            }
            MessageMember::Ambiguous => return Err(ambiguous()),
        }
        Ok(())
    }

    fn take_params(&mut self, walker: &mut Walker<'_>) -> Result<(), Denial> {
        if walker.peek()? != b'{' {
            return Err(params("the params are not an object"));
        }
        let start = walker.position();
        let mut object = Object::default();
        let mut member = walker.open(&mut object, ParamsMember::of)?;
        while let Some(found) = member {
            match found {
                ParamsMember::Name => self.params.name = walker.string(TEXT_BYTES)?,
                ParamsMember::Uri => self.params.uri = walker.string(TEXT_BYTES)?,
                ParamsMember::Task => self.params.task = walker.string(TEXT_BYTES)?,
                ParamsMember::Reference => self.params.reference = read_reference(walker)?,
                ParamsMember::Arguments => self.envelope.arguments = Some(walker.skip()?),
                ParamsMember::Meta => self.envelope.meta = read_meta(walker)?,
                ParamsMember::Other => {
                    walker.skip()?;
                }
                ParamsMember::Ambiguous => return Err(ambiguous()),
            }
            member = walker.next(&mut object, ParamsMember::of)?;
        }
        self.envelope.params = Some(start..walker.position());
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
        if name.contains('\0') {
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
fn read_id(walker: &mut Walker<'_>, text: &str) -> Result<Range<usize>, Denial> {
    let range = walker.skip()?;
    let id = text.get(range.clone()).unwrap_or_default();
    let digits = id.strip_prefix('-').unwrap_or(id);
    let is_integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !(id.starts_with('"') || is_integer) {
        return Err(invalid("the id is neither a string nor an integer"));
    }
    if id.len() > CallLimits::ID_BYTES {
        return Err(invalid("the id is too long"));
    }
    Ok(range)
}

/// The `ref` of a completion: a prompt's name or a resource's URI, as its type says.
fn read_reference(walker: &mut Walker<'_>) -> Result<Option<(Subject, Box<str>)>, Denial> {
    if walker.peek()? != b'{' {
        walker.skip()?;
        return Ok(None);
    }
    let (mut kind, mut name, mut uri) = (None, None, None);
    let known = |key: &str| match key {
        "type" => Some(0),
        "name" => Some(1),
        "uri" => Some(2),
        _ if is_like(key, &["type", "name", "uri"]) => None,
        _ => Some(3),
    };
    let mut object = Object::default();
    let mut member = walker.open(&mut object, known)?;
    while let Some(found) = member {
        match found.ok_or_else(ambiguous)? {
            0 => kind = walker.string(TEXT_BYTES)?,
            1 => name = walker.string(TEXT_BYTES)?,
            2 => uri = walker.string(TEXT_BYTES)?,
            _ => {
                walker.skip()?;
            }
        }
        member = walker.next(&mut object, known)?;
    }
    Ok(match kind.as_deref() {
        Some("ref/prompt") => name.map(|name| (Subject::Prompt, name)),
        Some("ref/resource") => uri.map(|uri| (Subject::Resource, uri)),
        _ => None,
    })
}

fn read_meta(walker: &mut Walker<'_>) -> Result<Meta, Denial> {
    if walker.peek()? != b'{' {
        return Err(params("_meta is not an object"));
    }
    let mut meta = Meta::default();
    const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    let known = |key: &str| match key {
        VERSION => Some(0),
        CAPABILITIES => Some(1),
        "traceparent" => Some(2),
        _ if is_like(key, &[VERSION, CAPABILITIES]) => None,
        _ => Some(3),
    };
    let mut object = Object::default();
    let mut member = walker.open(&mut object, known)?;
    while let Some(found) = member {
        match found.ok_or_else(ambiguous)? {
            0 => {
                let version = walker.with_string(|text| {
                    Revision::parse(text).ok_or_else(|| text.chars().take(64).collect())
                })?;
                meta.version =
                    Some(version.ok_or_else(|| params("the protocol version is not text"))?);
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
        member = walker.next(&mut object, known)?;
    }
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

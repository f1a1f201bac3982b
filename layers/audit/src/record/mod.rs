//! What is recorded of a request, and how it looks on its line.

mod carried;
mod classes;
mod decision;
mod event_id;
mod event_type;
mod fields;
mod findings;
mod found;
mod harmless;
mod identity;
mod json;
mod metadata;
mod names;
mod outcome;
mod packed;
mod parcel;
mod screened;
mod severity;
mod text;
mod timestamp;
mod unpacking;
mod unredacted;

use std::{io::Write as _, net::IpAddr, slice, time::Duration};

use bartizan_core::{
    CallKind, DenialKind, Event, Finding, Principal, SecurityContext, TraceParent, Verdict,
    call::Subject,
};
use http::StatusCode;

pub use classes::Classes;
pub use decision::Decision;
pub use event_id::EventId;
pub(crate) use event_type::{event_type, is_event_type};
pub use findings::{FindingRef, Findings};
pub use found::{Alert, Anomaly, Found};
pub(crate) use harmless::Harmless;
pub use identity::Identity;
pub use json::Json;
pub use metadata::Metadata;
pub use names::Names;
pub use outcome::Outcome;
pub(crate) use outcome::{End, denial_of};
pub(crate) use parcel::Parcel;
pub(crate) use screened::Screened;
pub use severity::Severity;
pub use text::Text;
#[cfg(all(feature = "chain", unix))]
pub(crate) use timestamp::write as write_timestamp;
pub use unredacted::Unredacted;

use crate::{Answer, answer::ResultType, gaps::Missing};
use fields::{Fields, key};
pub(crate) use identity::Identities;
pub(crate) use metadata::named;

/// The version of the record's form. It grows when a member changes its meaning or goes.
///
/// 2: the end of an answer counts, where of 1 its head did; and what was aborted is no `error`.
pub const SCHEMA: u64 = 2;

/// The JSON Schema (draft 2020-12) of a record: every line validates against it, those of a chained log included.
pub const JSON_SCHEMA: &str = include_str!("../../schema/record.json");

/// What a record takes as JSON at most, in bytes, whatever strangers send.
///
/// Of it twice [`MAX_DETAIL_BYTES`] are the arguments' and the answer's, and 4 KiB the list of what was masked.
pub const MAX_RECORD_BYTES: usize = 36 * 1024;

/// What the arguments of a call take at most in a record, in bytes; and what its answer does.
pub const MAX_DETAIL_BYTES: usize = 8 * 1024;

/// What a stranger may have sent is cut to these many bytes of JSON.
const MAX_NAME: u32 = 256;
const MAX_ACTION: u32 = 128;
const MAX_URI: u32 = 1024;
const MAX_DETAIL: u32 = 512;

/// Events by which a server's keys, grants, policies or settings become others.
const CHANGES: &[&str] = &[
    "grant_ended",
    "grant_given",
    "grant_revoked",
    "key_imported",
    "key_issued",
    "key_leaked",
    "key_revoked",
    "key_rotated",
    "keys_refreshed",
    "keys_removed",
    "limits_swapped",
    "list_changed",
    "policy_swapped",
    "roles_cut",
    "roles_granted",
    "tool_changed",
    "tools_learned",
];

/// One request's record. What it borrows belongs to the request.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Names this record, and what was decided in it.
    pub event_id: EventId,
    /// Its place among those of its sink, from 1; `None` before it has one. One that is missing is a record
    /// that is missing.
    pub sequence: Option<u64>,
    /// When the request arrived, since the Unix epoch.
    pub timestamp: Duration,
    /// What sort of event it is; the [crate's docs](crate) list the words.
    pub event_type: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// All that it is, for who looks for one sort of thing.
    pub classes: Classes,
    /// The subject at its issuer; `None` if nobody was identified.
    pub user_id: Option<Text<'a>>,
    /// The user's roles.
    pub user_role: Names<'a>,
    /// The tool that was asked for.
    pub tool_name: Option<Text<'a>>,
    /// The URI of the resource that was asked for, without what may hold a credential.
    pub resource_id: Option<Text<'a>>,
    /// The JSON-RPC method; of other calls what they do. `None` if no layer read the call.
    pub action: Option<Text<'a>>,
    /// `success`, `failure`, `error` or `aborted`; `intended` of an intent.
    pub result: &'static str,
    /// The client's address as the network layer established it.
    pub ip_address: Option<IpAddr>,
    /// The `User-Agent`, as the client says.
    pub user_agent: Option<Text<'a>>,
    /// The id that ties answer, log lines and record together.
    pub correlation_id: Option<Text<'a>>,
    /// What stands in none of the fields above.
    pub metadata: Metadata<'a>,
    /// How the request ended; `None` of a gap record, and of a note that came late.
    pub outcome: Option<Outcome>,
    /// The status of the answer; `None` if there was none.
    pub status: Option<StatusCode>,
    /// What the answer's body said; `None` if the request wanted no answer, a guard gave it, or nothing of
    /// it came.
    pub answer: Option<Answer>,
    /// From the request's arrival to the answer's head, or to its end without one.
    pub latency: Option<Duration>,
    /// From the request's arrival to the answer's end.
    pub duration: Option<Duration>,
    /// Bytes of the request's body: read, or as its head says.
    pub request_bytes: Option<u64>,
    /// Bytes of the answer's body, as far as it came.
    pub response_bytes: Option<u64>,
    /// Where the request stands in a trace, as its caller says.
    pub trace: Option<TraceParent>,
    /// What each guard concluded.
    pub findings: Findings<'a>,
    /// How many findings did not fit the request's trail.
    pub findings_dropped: usize,
    /// Whom it is of, if what tells it has been masked since.
    pub(crate) identities: Option<Identities>,
    pub(crate) refused_credential: Option<Identity>,
    /// Of whom these fields are, as the layer took them.
    pub(crate) principal: Option<&'a Principal>,
}

/// What the layer took from the request itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) arrived: Duration,
    pub(crate) method: &'a str,
    pub(crate) path: Option<&'a str>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) event_id: EventId,
    pub(crate) answer: Option<(Answer, Option<ResultType>)>,
    pub(crate) latency: Option<Duration>,
    pub(crate) duration: Option<Duration>,
    pub(crate) request_bytes: Option<u64>,
    pub(crate) response_bytes: Option<u64>,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) is_destructive: bool,
    pub(crate) intent: Option<EventId>,
}

impl<'a> Record<'a> {
    pub(crate) fn of(
        asked: &Asked<'a>,
        told: &Told,
        user_agent: Option<&'a str>,
        context: &'a SecurityContext,
        (outcome, denial, status): (Outcome, Option<DenialKind>, Option<StatusCode>),
        (findings, findings_dropped): (&'a [Finding], usize),
    ) -> Self {
        let call = context.call();
        let principal = context.principal();
        let user = principal.filter(|principal| !principal.is_anonymous());
        let name = |subject| call.and_then(|call| named(call, subject));
        let answer = told.answer.map(|(answer, _)| answer);
        let classes = Classes::of(context, denial, told.is_destructive, findings);
        let result = outcome.result(status, answer);
        Self {
            event_id: told.event_id,
            sequence: None,
            timestamp: asked.arrived,
            event_type: event_type(denial, call),
            severity: Severity::of(outcome, result, classes),
            classes,
            user_id: user.map(|user| Text::new(user.subject(), MAX_NAME)),
            user_role: Names::roles_of(principal),
            tool_name: name(Subject::Tool).map(|name| Text::new(name, MAX_NAME)),
            resource_id: name(Subject::Resource).map(|uri| Text::uri(uri, MAX_URI)),
            action: call.map(|call| match call.kind() {
                CallKind::Stream => Text::new("stream", MAX_ACTION),
                CallKind::EndSession => Text::new("end_session", MAX_ACTION),
                CallKind::Response => Text::new("response", MAX_ACTION),
                _ => Text::new(call.method(), MAX_ACTION),
            }),
            result,
            ip_address: context.client_address(),
            user_agent: user_agent.map(|agent| Text::new(agent, MAX_NAME)),
            correlation_id: Some(Text::new(context.correlation_id().as_str(), MAX_NAME)),
            metadata: Metadata::of(asked, told, context, denial),
            outcome: Some(outcome),
            status,
            answer,
            latency: told.latency,
            duration: told.duration,
            request_bytes: told.request_bytes,
            response_bytes: told.response_bytes,
            trace: told.trace,
            findings: Findings::of(findings),
            findings_dropped,
            identities: None,
            refused_credential: context.refused_credential().map(Identity::from_hash),
            principal,
        }
    }

    /// The record that says how many requests have none.
    pub(crate) fn gap(timestamp: Duration, missing: Missing, findings: &'a [Finding]) -> Self {
        Self {
            event_id: EventId::made(timestamp),
            sequence: None,
            timestamp,
            event_type: "audit_gap",
            severity: Severity::Error,
            classes: Classes::NONE,
            user_id: None,
            user_role: Names::nobodys(),
            tool_name: None,
            resource_id: None,
            action: None,
            result: "error",
            ip_address: None,
            user_agent: None,
            correlation_id: None,
            metadata: Metadata {
                missing: Some(missing),
                ..Metadata::default()
            },
            outcome: None,
            status: None,
            answer: None,
            latency: None,
            duration: None,
            request_bytes: None,
            response_bytes: None,
            trace: None,
            findings: Findings::of(findings),
            findings_dropped: 0,
            identities: None,
            refused_credential: None,
            principal: None,
        }
    }

    /// The record of a call that is going to be made.
    pub(crate) fn intent(now: Duration, told: &Told, context: &'a SecurityContext) -> Self {
        let asked = Asked {
            arrived: now,
            method: "",
            path: None,
        };
        let end = (Outcome::Admitted, None, None);
        let record = Self::of(&asked, told, None, context, end, (&[], 0));
        Self {
            event_type: "intent",
            result: "intended",
            metadata: Metadata {
                http_method: None,
                ..record.metadata
            },
            outcome: None,
            ..record
        }
    }

    /// The record of what happened outside of requests.
    pub(crate) fn event(now: Duration, event: &'a Event) -> Self {
        let severity = match event.severity {
            bartizan_core::Severity::Info => Severity::Notice,
            bartizan_core::Severity::Warning => Severity::Warning,
            _ => Severity::Error,
        };
        let is_change = CHANGES.contains(&event.kind);
        Self {
            event_type: if is_change {
                "configuration_change"
            } else {
                "system_event"
            },
            severity,
            classes: if is_change {
                Classes::CONFIGURATION_CHANGE
            } else {
                Classes::NONE
            },
            action: Some(Text::new(event.kind, MAX_ACTION)),
            result: match severity {
                Severity::Error => "error",
                _ => "success",
            },
            metadata: Metadata {
                layer: Some(event.layer),
                detail: Some(Text::new(&event.detail, MAX_DETAIL)),
                ..Metadata::default()
            },
            ..Self::gap(now, Missing::default(), &[])
        }
    }

    /// The record of a finding that came when its request's record was written.
    pub(crate) fn late(now: Duration, context: &'a SecurityContext, finding: &'a Finding) -> Self {
        let asked = Asked {
            arrived: now,
            method: "",
            path: None,
        };
        let is_refusal = finding.verdict == Verdict::Refused;
        let (outcome, denial) = if is_refusal {
            (Outcome::Refused, outcome::denial_of(finding))
        } else {
            (Outcome::Admitted, None)
        };
        let findings = slice::from_ref(finding);
        let told = Told {
            event_id: EventId::made(now),
            trace: context.call().and_then(|call| call.trace()),
            ..Told::default()
        };
        let end = (outcome, denial, None);
        let record = Self::of(&asked, &told, None, context, end, (findings, 0));
        Self {
            event_type: "late_finding",
            result: if is_refusal { "failure" } else { "success" },
            metadata: Metadata {
                http_method: None,
                ..record.metadata
            },
            outcome: is_refusal.then_some(outcome),
            ..record
        }
    }

    /// Whether nothing is missed without it: nobody refused, it succeeded, and nothing was destroyed for it.
    pub(crate) fn may_be_left_out(&self) -> bool {
        let is_always_kept = self.classes.has(Classes::DESTRUCTIVE_OPERATION)
            || self.classes.has(Classes::HONEY_TOUCHED);
        self.metadata.denial.is_none() && self.result == "success" && !is_always_kept
    }

    /// Appends the record as one JSON object of visible ASCII, without a line break.
    ///
    /// At most [`MAX_RECORD_BYTES`]. Every character that is not visible ASCII is escaped as
    /// `\uXXXX`, so that no reader loses one and no terminal obeys one.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::begin(out);
        fields.number(key!("schema"), SCHEMA);
        self.event_id.write_json(fields.value(key!("event_id")));
        fields.number_or_null(key!("sequence"), self.sequence);
        let timestamp = fields.value(key!("timestamp"));
        timestamp.push(b'"');
        self.write_timestamp(timestamp);
        timestamp.push(b'"');
        fields.word(key!("event_type"), self.event_type);
        fields.word(key!("severity"), self.severity.name());
        self.classes.write_json(fields.value(key!("classes")));
        fields.text_or_null(key!("user_id"), self.user_id);
        self.user_role.write_json(fields.value(key!("user_role")));
        fields.text_or_null(key!("tool_name"), self.tool_name);
        fields.text_or_null(key!("resource_id"), self.resource_id);
        fields.text_or_null(key!("action"), self.action);
        fields.word(key!("result"), self.result);
        match self.ip_address {
            Some(address) => write_address(fields.value(key!("ip_address")), address),
            None => fields.null(key!("ip_address")),
        }
        fields.text_or_null(key!("user_agent"), self.user_agent);
        fields.text_or_null(key!("correlation_id"), self.correlation_id);
        match self.outcome {
            Some(outcome) => fields.word(key!("outcome"), outcome.name()),
            None => fields.null(key!("outcome")),
        }
        let status = self.status.map(|status| status.as_u16().into());
        fields.number_or_null(key!("status"), status);
        match self.answer {
            Some(answer) => fields.word(key!("answer"), answer.name()),
            None => fields.null(key!("answer")),
        }
        match self.answer.and_then(Answer::code) {
            Some(code) => fields.signed(key!("rpc_code"), code),
            None => fields.null(key!("rpc_code")),
        }
        fields.number_or_null(key!("latency_us"), self.latency_us());
        fields.number_or_null(key!("duration_us"), self.duration_us());
        fields.number_or_null(key!("request_bytes"), self.request_bytes);
        fields.number_or_null(key!("response_bytes"), self.response_bytes);
        match self.trace {
            Some(trace) => write_hex(fields.value(key!("trace_id")), trace.trace_id(), 32),
            None => fields.null(key!("trace_id")),
        }
        self.findings.write_json(fields.value(key!("findings")));
        let dropped = u64::try_from(self.findings_dropped).unwrap_or(u64::MAX);
        fields.number(key!("findings_dropped"), dropped);
        let parent = self.trace.map(|trace| trace.parent_id());
        self.metadata
            .write_json(parent, fields.value(key!("metadata")));
        fields.end();
    }

    /// The record as one JSON object; see [`write_json`](Self::write_json).
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(1024);
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    pub(crate) fn latency_us(&self) -> Option<u64> {
        micros(self.latency)
    }

    pub(crate) fn duration_us(&self) -> Option<u64> {
        micros(self.duration)
    }

    pub(crate) fn write_timestamp(&self, out: &mut Vec<u8>) {
        timestamp::write(out, self.timestamp);
    }

    pub(crate) fn write_findings(&self, out: &mut Vec<u8>) {
        self.findings.write_json(out);
    }
}

fn micros(duration: Option<Duration>) -> Option<u64> {
    let micros = duration?.as_micros();
    Some(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// The lowest digits of a number, as a JSON string.
fn write_hex(out: &mut Vec<u8>, number: u128, digits: usize) {
    let start = out.len();
    out.resize(start + digits + 2, b'"');
    let place = out.get_mut(start + 1..start + 1 + digits);
    fill_hex(place.unwrap_or_default(), number);
}

/// Fills the place with the lowest digits, and returns the number without them.
#[inline]
fn fill_hex(place: &mut [u8], mut number: u128) -> u128 {
    for place in place.iter_mut().rev() {
        let digit = (number & 0xf) as u8;
        let above = if digit < 10 { b'0' } else { b'a' - 10 };
        *place = above + digit;
        number >>= 4;
    }
    number
}

/// An address holds nothing to escape.
fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    out.push(b'"');
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                // A number into a vector can't fail.
                let _ = serde_json::to_writer(&mut *out, &octet);
            }
        }
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
    out.push(b'"');
}

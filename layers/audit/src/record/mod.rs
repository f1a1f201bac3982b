//! What is recorded of a request, and how it looks on its line.

mod decision;
mod event_type;
mod fields;
mod findings;
mod json;
mod metadata;
mod names;
mod outcome;
mod parcel;
mod screened;
mod text;
mod timestamp;

use std::{io::Write as _, net::IpAddr, slice, time::Duration};

use bartizan_core::{CallKind, DenialKind, Finding, SecurityContext, Verdict, call::Subject};
use http::StatusCode;

pub use decision::Decision;
pub(crate) use event_type::is_event_type;
pub use findings::{FindingRef, Findings};
pub use json::Json;
pub use metadata::Metadata;
pub use names::Names;
pub use outcome::Outcome;
pub(crate) use outcome::{End, denial_of};
pub(crate) use parcel::Parcel;
pub(crate) use screened::{Screened, list as list_of_masked};
pub use text::Text;

use crate::gaps::Missing;
use event_type::event_type;
use fields::{Fields, key};
use metadata::named;

/// The version of the record's form. It grows when a member changes its meaning or goes.
pub const SCHEMA: u64 = 1;

/// What a record takes as JSON at most, in bytes, whatever strangers send.
///
/// Of it [`MAX_DETAIL_BYTES`] are the arguments', and 4 KiB the list of what was masked.
pub const MAX_RECORD_BYTES: usize = 28 * 1024;

/// What the arguments of a call take at most in a record, in bytes.
pub const MAX_DETAIL_BYTES: usize = 8 * 1024;

/// What a stranger may have sent is cut to these many bytes of JSON.
const MAX_NAME: u32 = 256;
const MAX_ACTION: u32 = 128;
const MAX_URI: u32 = 1024;

/// One request's record. What it borrows belongs to the request.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Record<'a> {
    /// When the request arrived, since the Unix epoch.
    pub timestamp: Duration,
    /// What sort of event it is; the [crate's docs](crate) list the words.
    pub event_type: &'static str,
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
    /// `success`, `failure` or `error`.
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
    /// From the request's arrival to the answer's head, or to its end without one.
    pub latency: Option<Duration>,
    /// What each guard concluded.
    pub findings: Findings<'a>,
    /// How many findings did not fit the request's trail.
    pub findings_dropped: usize,
}

/// What the layer took from the request itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) arrived: Duration,
    pub(crate) latency: Duration,
    pub(crate) method: &'a str,
    pub(crate) path: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub(crate) fn of(
        asked: &Asked<'a>,
        user_agent: Option<&'a str>,
        (context, id): (&'a SecurityContext, &'a str),
        (outcome, denial, status): (Outcome, Option<DenialKind>, Option<StatusCode>),
        (findings, findings_dropped): (&'a [Finding], usize),
    ) -> Self {
        let call = context.call();
        let principal = context.principal();
        let user = principal.filter(|principal| !principal.is_anonymous());
        let name = |subject| call.and_then(|call| named(call, subject));
        Self {
            timestamp: asked.arrived,
            event_type: event_type(denial, call),
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
            result: outcome.result(status),
            ip_address: context.client_address(),
            user_agent: user_agent.map(|agent| Text::new(agent, MAX_NAME)),
            correlation_id: Some(Text::new(id, MAX_NAME)),
            metadata: Metadata {
                decision: context.decided().map(Decision::of),
                ..Metadata::of(asked, principal, call, denial)
            },
            outcome: Some(outcome),
            status,
            latency: Some(asked.latency),
            findings: Findings::of(findings),
            findings_dropped,
        }
    }

    /// The record that says how many requests have none.
    pub(crate) fn gap(timestamp: Duration, missing: Missing, findings: &'a [Finding]) -> Self {
        Self {
            timestamp,
            event_type: "audit_gap",
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
            latency: None,
            findings: Findings::of(findings),
            findings_dropped: 0,
        }
    }

    /// The record of a finding that came when its request's record was written.
    pub(crate) fn late(now: Duration, context: &'a SecurityContext, finding: &'a Finding) -> Self {
        let asked = Asked {
            arrived: now,
            latency: Duration::ZERO,
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
        let id = context.correlation_id().as_str();
        let end = (outcome, denial, None);
        let record = Self::of(&asked, None, (context, id), end, (findings, 0));
        Self {
            event_type: "late_finding",
            result: if is_refusal { "failure" } else { "success" },
            metadata: Metadata {
                http_method: None,
                ..record.metadata
            },
            outcome: is_refusal.then_some(outcome),
            latency: None,
            ..record
        }
    }

    /// Appends the record as one JSON object of visible ASCII, without a line break.
    ///
    /// At most [`MAX_RECORD_BYTES`]. Every character that is not visible ASCII is escaped as
    /// `\uXXXX`, so that no reader loses one and no terminal obeys one.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut fields = Fields::begin(out);
        fields.number(key!("schema"), SCHEMA);
        let timestamp = fields.value(key!("timestamp"));
        timestamp.push(b'"');
        self.write_timestamp(timestamp);
        timestamp.push(b'"');
        fields.word(key!("event_type"), self.event_type);
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
        match self.status {
            Some(status) => fields.number(key!("status"), status.as_u16().into()),
            None => fields.null(key!("status")),
        }
        match self.latency_us() {
            Some(latency) => fields.number(key!("latency_us"), latency),
            None => fields.null(key!("latency_us")),
        }
        findings::write_json(self.findings.iter(), fields.value(key!("findings")));
        let dropped = u64::try_from(self.findings_dropped).unwrap_or(u64::MAX);
        fields.number(key!("findings_dropped"), dropped);
        self.metadata.write_json(fields.value(key!("metadata")));
        fields.end();
    }

    /// The record as one JSON object; see [`write_json`](Self::write_json).
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(1024);
        self.write_json(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    pub(crate) fn latency_us(&self) -> Option<u64> {
        let micros = self.latency?.as_micros();
        Some(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    pub(crate) fn write_timestamp(&self, out: &mut Vec<u8>) {
        timestamp::write(out, self.timestamp);
    }

    pub(crate) fn write_findings(&self, out: &mut Vec<u8>) {
        findings::write_json(self.findings.iter(), out);
    }
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

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use bartizan_audit::{Answer, Classes, Outcome, Record};
use bartizan_core::Verdict;

/// What of a record the detectors look at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) address: Option<IpAddr>,
    pub(crate) account: Option<u64>,
    /// The credential, where it was good.
    pub(crate) credential: Option<u64>,
    /// The credential, where it was refused.
    pub(crate) refused: Option<u64>,
    /// The id of an API key that was refused.
    pub(crate) refused_key: Option<u64>,
    /// The tool, if it is denied or does not exist.
    pub(crate) vain_tool: Option<u64>,
    /// The tool, if it is destructive and was called.
    pub(crate) destroyed_by: Option<u64>,
    pub(crate) is_denied: bool,
    pub(crate) is_escalation: bool,
    /// Whether it is a request's own record.
    pub(crate) is_request: bool,
}

/// JSON-RPC codes of a server that knows no such tool: invalid params by MCP, and method not found.
const UNKNOWN: [i64; 2] = [-32602, -32601];

impl Seen {
    pub(crate) fn of(record: &Record<'_>, key: &RandomState) -> Self {
        let has = |class| record.classes.has(class);
        let is_denied = has(Classes::AUTHORIZATION_DENIED);
        let code = record.answer.and_then(Answer::code);
        let is_call = record.event_type == "tool_call";
        let is_unknown = is_call && code.is_some_and(|code| UNKNOWN.contains(&code));
        let is_admitted = record.outcome == Some(Outcome::Admitted);
        let is_destroying = is_admitted && has(Classes::DESTRUCTIVE_OPERATION);
        let tool = |is_wanted: bool| is_wanted.then(|| record.tool().map(|tool| tool.as_u64()));
        Self {
            address: record.ip_address,
            account: record.account().map(|account| account.as_u64()),
            credential: record.credential().map(|credential| credential.as_u64()),
            refused: record.refused_credential().map(|refused| refused.as_u64()),
            refused_key: refused_key(record).map(|id| key.hash_one(id)),
            vain_tool: tool(is_denied || is_unknown).flatten(),
            destroyed_by: tool(is_destroying && !is_unknown).flatten(),
            is_denied,
            is_escalation: has(Classes::PRIVILEGE_ESCALATION_ATTEMPT),
            is_request: record.outcome.is_some() && record.event_type != "late_finding",
        }
    }
}

/// What names the id of an API key that was refused, be there such a key or not.
pub(crate) fn refused_key<'r>(record: &Record<'r>) -> Option<&'r str> {
    record.refused_credential()?;
    let mut findings = record.findings.iter();
    let named = findings.find(|finding| finding.layer == "apikey" && finding.kind == "key_refused");
    named.map(|finding| finding.reason)
}

/// What names the decoy that was touched.
pub(crate) fn decoy<'r>(record: &Record<'r>) -> Option<&'r str> {
    let mut findings = record.findings.iter();
    let touched = findings.find(|finding| finding.verdict == Verdict::Honey);
    touched.map(|finding| finding.reason)
}

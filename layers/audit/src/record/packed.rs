//! What records are kept as on their way to the thread that makes lines of them.
//!
//! Each byte is written to memory that no cache holds, which takes longer than to make it: so what is the same as of the
//! record before stands there once.

use std::{net::IpAddr, ptr, time::Duration};

use bartizan_core::{DenialKind, TraceParent, call::Revision};
use http::StatusCode;

use super::{Classes, EventId, Identities, Identity, Outcome, Severity};
use crate::{Answer, gaps::Missing};

/// What differs from one record to the next, beside its texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    pub(super) event_id: EventId,
    pub(super) timestamp: Duration,
    pub(super) latency: Option<Duration>,
    pub(super) duration: Option<Duration>,
    pub(super) request_bytes: Option<u64>,
    pub(super) response_bytes: Option<u64>,
    pub(super) refused_credential: Option<Identity>,
    pub(super) ip_address: Option<IpAddr>,
    pub(super) has_same_who: bool,
    pub(super) has_same_usual: bool,
    pub(super) has_same_findings: bool,
    pub(super) is_rare: bool,
}

/// Which texts and names there are that tell of whom a record is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who {
    pub(super) texts: Texts,
    pub(super) roles: Listed,
    pub(super) scopes: Listed,
    pub(super) actors: Listed,
}

/// What is mostly the same from one record to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    /// Which redactor is to look through it, if one is.
    pub(super) redactor: Option<usize>,
    pub(super) texts: Texts,
    pub(super) findings: usize,
    pub(super) findings_dropped: usize,
    pub(super) event_type: Word,
    pub(super) severity: Severity,
    pub(super) classes: Classes,
    pub(super) result: Word,
    pub(super) outcome: Option<Outcome>,
    pub(super) status: Option<StatusCode>,
    pub(super) denial: Option<DenialKind>,
    pub(super) answer: Option<Answer>,
    pub(super) result_type: Option<Word>,
    pub(super) principal_kind: Option<Word>,
    pub(super) call_kind: Option<Word>,
    pub(super) protocol_version: Option<Revision>,
    pub(super) decision: Option<PackedDecision>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PackedDecision {
    pub(super) outcome: Word,
    pub(super) baseline: Option<Word>,
    pub(super) rules: Listed,
    pub(super) operations: u32,
    pub(super) is_unclear: bool,
    pub(super) is_granted: bool,
    pub(super) is_limited: bool,
}

/// What few records have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rare {
    pub(super) trace: Option<TraceParent>,
    pub(super) intent: Option<EventId>,
    pub(super) identities: Option<Identities>,
    pub(super) layer: Option<&'static str>,
    pub(super) missing: Option<Missing>,
}

/// A text that stands behind the one before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub(super) len: u16,
    pub(super) limit: u16,
    pub(super) is_cut: bool,
}

/// How many names stand in a list, and whether there are more; `None` if it is nobody's.
pub(super) type Listed = Option<(u8, bool)>;

/// Which of the texts there are, in the order in which they are carried, from the lowest bit on.
pub(super) type Texts = u32;

/// A word of ours: the same one where it stands at the same place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word(pub(super) &'static str);

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

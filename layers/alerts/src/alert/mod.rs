mod json;
mod wording;

use std::{sync::Arc, time::Duration};

use bartizan_audit::{EventId, Record, Severity};

pub use json::{JSON_SCHEMA, SCHEMA};
pub(crate) use wording::wording;

use crate::{groups::Sum, rule::By};

/// Something that somebody should know of. It holds nothing but what redacted records show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// Names it: a UUID of version 7.
    pub id: EventId,
    /// The rule that it is of.
    pub rule: Arc<str>,
    /// How much it matters.
    pub severity: Severity,
    /// Whether something happened, or goes on.
    pub kind: AlertKind,
    /// The alert before it of the same rule and group, if there was quiet in between.
    pub after: Option<EventId>,
    /// What its records were counted apart by, with the value; `None` if they have no such thing.
    pub group: Vec<(By, Option<Box<str>>)>,
    /// Whether it is of those who came when there were as many groups as may be, all in one.
    pub is_other: bool,
    /// Of how many records it is: of all of them, or of those since the alert before it.
    pub count: u64,
    /// The time of the first record, since the Unix epoch.
    pub first: Duration,
    /// The time of the last one.
    pub last: Duration,
    /// The last ones of its records, eight at most.
    pub records: Vec<RecordRef>,
    /// What a person is told: a line of visible ASCII, up to 500 bytes.
    pub text: String,
}

/// Why an alert comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlertKind {
    /// Something happened; or something graver did, while there was quiet.
    Raised,
    /// It goes on: quiet has ended, and this is what came meanwhile.
    Repeated,
}

/// A record by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordRef {
    /// The record's id.
    pub event_id: EventId,
    /// The id that its request's answer named; up to 64 bytes of visible ASCII.
    pub correlation_id: Option<Box<str>>,
    /// The record's time, since the Unix epoch.
    pub at: Duration,
}

/// Bytes of a correlation id that are kept.
const CORRELATION_BYTES: usize = 64;

impl Alert {
    /// Records that an alert names.
    pub const MOST_RECORDS: usize = 8;

    pub(crate) fn new(rule: &Arc<str>, sum: Sum, record: Option<&Record<'_>>) -> Self {
        let text = wording(rule, &sum, record);
        Self {
            id: sum.id,
            rule: Arc::clone(rule),
            severity: sum.severity,
            kind: sum.kind,
            after: sum.after,
            group: sum.group,
            is_other: sum.is_other,
            count: sum.count,
            first: sum.first,
            last: sum.last,
            records: sum.records,
            text,
        }
    }
}

impl AlertKind {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
        }
    }
}

impl RecordRef {
    #[cfg(test)]
    pub(crate) fn named(event_id: EventId, at: Duration) -> Self {
        Self {
            event_id,
            correlation_id: None,
            at,
        }
    }

    pub(crate) fn of(record: &Record<'_>) -> Self {
        let correlation_id = record.correlation_id.map(|id| {
            let mut id = id.to_string();
            id.truncate(CORRELATION_BYTES); // which is ASCII
            id.into()
        });
        Self {
            event_id: record.event_id,
            correlation_id,
            at: record.timestamp,
        }
    }
}

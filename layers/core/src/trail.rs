use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
};

/// What a guard concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The guard let the request pass.
    Allowed,
    /// The guard refused the request.
    Refused,
    /// The guard saw something worth recording and decided nothing.
    Noted,
}

impl Verdict {
    /// A stable word for records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Noted => "noted",
        }
    }
}

/// One guard's entry in the request's audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The layer, by the name it refuses under: `cors`, `auth`, `call`.
    pub layer: &'static str,
    /// What it concluded.
    pub verdict: Verdict,
    /// A stable word for the cause: a [`DenialKind`](crate::DenialKind)'s name, or the layer's own.
    pub kind: &'static str,
    /// The internal reason. It may name what the caller sent, made [`printable`](crate::printable),
    /// but never a credential.
    pub reason: Cow<'static, str>,
}

impl Finding {
    /// An entry.
    pub fn new(
        layer: &'static str,
        verdict: Verdict,
        kind: &'static str,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            layer,
            verdict,
            kind,
            reason: reason.into(),
        }
    }
}

/// The findings of one request, in the order the guards made them.
///
/// Bounded: what exceeds [`Trail::CAPACITY`] is counted and dropped.
#[derive(Debug, Default)]
pub struct Trail {
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    findings: Vec<Finding>,
    dropped: usize,
}

/// Findings that a request leaves when each layer has one.
const USUAL: usize = 8;

impl Trail {
    /// Findings kept per request.
    pub const CAPACITY: usize = 64;

    pub(crate) fn push(&self, finding: Finding) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.findings.is_empty() {
            entries.findings.reserve(USUAL);
        }
        if entries.findings.len() < Self::CAPACITY {
            entries.findings.push(finding);
        } else {
            entries.dropped += 1;
        }
    }

    /// Looks at the findings so far, without copying them. `look` must not record any.
    pub fn with_findings<R>(&self, look: impl FnOnce(&[Finding]) -> R) -> R {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        look(&entries.findings)
    }

    /// A copy of the findings so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.with_findings(<[Finding]>::to_vec)
    }

    /// How many findings did not fit.
    pub fn dropped(&self) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.dropped
    }
}

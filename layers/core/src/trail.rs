use std::{
    borrow::Cow,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use crate::SecurityContext;

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
    /// A decoy was touched, which nobody who is in good faith knows of or has reason to try: see
    /// [`honey!`](crate::honey).
    Honey,
}

impl Verdict {
    /// A stable word for records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Noted => "noted",
            Self::Honey => "honey",
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

/// Who writes down findings that a request's record does not hold any more.
pub trait LateFindings: Send + Sync + 'static {
    /// Takes a refusal, a note or the touch of a decoy that was made after the trail was closed. `context` is its request's.
    fn late(&self, context: &SecurityContext, finding: &Finding);

    /// Counts one more, which exceeds [`Trail::CAPACITY`].
    fn lost(&self);
}

/// The findings of one request, in the order the guards made them.
///
/// Bounded: what exceeds [`Trail::CAPACITY`] is counted and dropped. It is closed when the request's record is
/// written: when the answer has ended, so that what a handler refuses in a stream is still in it. What it started may
/// go on and refuse even then. Findings that come so late go to whoever closed the trail.
#[derive(Default)]
pub struct Trail {
    entries: Mutex<Entries>,
    closed: OnceLock<Closed>,
}

#[derive(Default)]
struct Entries {
    /// Once the trail is closed, those that came later.
    findings: Vec<Finding>,
    dropped: usize,
    late: Option<Arc<dyn LateFindings>>,
    /// Of layers that closed it after another one.
    also_late: Vec<Arc<dyn LateFindings>>,
}

/// What stands in the record.
struct Closed {
    findings: Vec<Finding>,
    dropped: usize,
}

/// Findings that a request leaves when each layer has one.
const USUAL: usize = 8;

impl Trail {
    /// Findings kept per request.
    pub const CAPACITY: usize = 64;

    pub(crate) fn push(&self, context: &SecurityContext, finding: Finding) {
        let mut entries = self.entries();
        let Some(closed) = self.closed.get() else {
            if entries.findings.is_empty() {
                entries.findings.reserve(USUAL);
            }
            if entries.findings.len() < Self::CAPACITY {
                entries.findings.push(finding);
            } else {
                entries.dropped += 1;
            }
            return;
        };
        let fits = closed.findings.len() + entries.findings.len() < Self::CAPACITY;
        let late = entries.late.clone().into_iter();
        let late: Vec<_> = late.chain(entries.also_late.iter().cloned()).collect();
        if fits {
            entries.findings.push(finding.clone());
        } else {
            entries.dropped += 1;
        }
        // Whoever takes it may record something itself.
        drop(entries);
        // What a guard admits changes nothing of what the record says.
        if finding.verdict == Verdict::Allowed {
            return;
        }
        for late in late {
            if fits {
                late.late(context, &finding);
            } else {
                late.lost();
            }
        }
    }

    /// Closes the trail for the request's record: gives its findings, and how many did not fit. Those
    /// that come later go to `late`.
    ///
    /// A second layer that writes a record gets all findings so far as well.
    pub fn close(&self, late: Arc<dyn LateFindings>) -> (Cow<'_, [Finding]>, usize) {
        let mut entries = self.entries();
        if let Some(closed) = self.closed.get() {
            let all = [&*closed.findings, &*entries.findings].concat();
            entries.also_late.push(late);
            return (Cow::Owned(all), entries.dropped + closed.dropped);
        }
        entries.late = Some(late);
        let closed = self.closed.get_or_init(|| Closed {
            findings: mem::take(&mut entries.findings),
            dropped: mem::take(&mut entries.dropped),
        });
        (Cow::Borrowed(&closed.findings), closed.dropped)
    }

    /// Whether the request's record is written.
    pub fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Looks at the findings so far, without copying them while the trail is open. `look` must not
    /// record any.
    pub fn with_findings<R>(&self, look: impl FnOnce(&[Finding]) -> R) -> R {
        let entries = self.entries();
        match self.closed.get() {
            None => look(&entries.findings),
            Some(closed) if entries.findings.is_empty() => {
                drop(entries);
                look(&closed.findings)
            }
            Some(closed) => {
                let all = [&*closed.findings, &*entries.findings].concat();
                drop(entries);
                look(&all)
            }
        }
    }

    /// A copy of the findings so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.with_findings(<[Finding]>::to_vec)
    }

    /// How many findings did not fit.
    pub fn dropped(&self) -> usize {
        let before = self.closed.get().map_or(0, |closed| closed.dropped);
        before + self.entries().dropped
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trail")
            .field("findings", &self.findings())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Late(Mutex<Vec<&'static str>>);

    impl LateFindings for Late {
        fn late(&self, context: &SecurityContext, finding: &Finding) {
            // The lock is free by now.
            assert!(context.trail().unwrap().is_closed());
            context.trail().unwrap().with_findings(|_| ());
            self.0.lock().unwrap().push(finding.kind);
        }

        fn lost(&self) {
            self.0.lock().unwrap().push("lost");
        }
    }

    fn record(context: &SecurityContext, verdict: Verdict, kind: &'static str) {
        context.record(|| Finding::new("caller", verdict, kind, ""));
    }

    #[test]
    fn what_comes_after_the_record_goes_to_whoever_closed_the_trail() {
        let context = SecurityContext::default();
        let trail = context.open_trail();
        record(&context, Verdict::Allowed, "before");
        let (first, second) = (Arc::new(Late::default()), Arc::new(Late::default()));
        let (findings, dropped) = trail.close(first.clone());
        assert_eq!((findings.len(), dropped), (1, 0));
        record(&context, Verdict::Refused, "refused");
        record(&context, Verdict::Allowed, "allowed");
        assert_eq!(
            findings.len(),
            1,
            "the record's findings stay what they are"
        );
        assert_eq!(trail.close(second.clone()).0.len(), 3);
        record(&context, Verdict::Noted, "noted");
        record(&context, Verdict::Honey, "honey_tool");
        assert_eq!(*first.0.lock().unwrap(), ["refused", "noted", "honey_tool"]);
        assert_eq!(*second.0.lock().unwrap(), ["noted", "honey_tool"]);
        assert_eq!(trail.findings().len(), 5);
    }

    #[test]
    fn late_findings_are_bounded_like_all_others() {
        let context = SecurityContext::default();
        let late = Arc::new(Late::default());
        context.open_trail().close(late.clone());
        for _ in 0..Trail::CAPACITY + 2 {
            record(&context, Verdict::Refused, "late");
        }
        let late = late.0.lock().unwrap();
        assert_eq!(late[Trail::CAPACITY - 1..], ["late", "lost", "lost"]);
        assert_eq!(context.trail().unwrap().dropped(), 2);
    }
}

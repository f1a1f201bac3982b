use std::{
    array,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use bartizan_core::{
    DenialKind, Event, Events, Finding, Principal, SecurityContext, Severity, Verdict, guarded,
};

use crate::{
    Json, Record,
    layer::Settings,
    level::Detail,
    record::{Screened, Unredacted},
};

impl Settings {
    /// Whether the request's record has room. If earlier ones had none, says so in a record first.
    pub(crate) fn has_room(&self) -> bool {
        let room = self.reserve();
        if !room {
            self.miss(self.continue_without_record);
        } else if self.gaps.is_open() || self.gaps.is_honey_told.load(Ordering::Relaxed) {
            self.close_gap();
        }
        room
    }

    /// Whether what room is left is for those who are known.
    pub(crate) fn is_scarce(&self) -> bool {
        guarded(|| self.sink.is_scarce()) == Some(true)
    }

    /// Writes into reserved room. Nothing that a sink does reaches the request. A gap that found no
    /// room of its own is told here as well.
    pub(crate) fn write<'a>(&self, record: &mut Record<'a>, detail: &'a Detail) {
        record.metadata.arguments = detail.arguments.as_deref().map(Json::new);
        let response = detail.response.as_ref().map(|(json, _)| &**json);
        record.metadata.response = response.map(Json::new);
        if self.gaps.is_open() {
            record.metadata.missing = self.gaps.close().map(|(missing, _)| missing);
        }
        if self.is_redacted_and_written(record, detail) {
            return;
        }
        self.miss(true);
        if let Some(missing) = record.metadata.missing {
            self.gaps.reopen(missing, &[]);
        }
    }

    /// Whether these tell of a decoy that was touched, as none did since room is scarce: that is recorded, whoever
    /// it was. More of a stranger's could use up what room is left.
    pub(crate) fn is_first_honey(&self, findings: &[Finding]) -> bool {
        let is_honey = |finding: &Finding| finding.verdict == Verdict::Honey;
        findings.iter().any(is_honey) && !self.gaps.is_honey_told.swap(true, Ordering::Relaxed)
    }

    /// Gives reserved room back, and counts the request instead.
    pub(crate) fn fold(&self, denial: Option<DenialKind>) {
        guarded(|| self.sink.release());
        self.count(denial);
    }

    /// Counts what a stranger did to no effect.
    pub(crate) fn count(&self, denial: Option<DenialKind>) {
        if self.gaps.fold(denial) {
            let detail =
                "little room is left: requests of strangers that came to nothing are counted";
            let event = Event::new("audit", Severity::Warning, "room_scarce", detail);
            report(&self.events, &event);
        }
    }

    /// Counts a request or a finding without a record; reports the first one.
    pub(crate) fn miss(&self, passed: bool) {
        if self.gaps.miss(passed) {
            let (severity, detail) = if passed {
                (Severity::Warning, "requests go on without a record")
            } else {
                (
                    Severity::Error,
                    "there is no room for records: requests are refused",
                )
            };
            report(
                &self.events,
                &Event::new("audit", severity, "no_room", detail),
            );
        }
    }

    /// What was masked already is listed with what is masked in the rest, so that is looked through here.
    fn is_redacted_and_written(&self, record: &Record<'_>, detail: &Detail) -> bool {
        let unredacted = Unredacted::of(record, &self.redactor);
        if let Some(unredacted) = unredacted.filter(|_| !detail.has_masked()) {
            return self.is_done(|| self.sink.write_unredacted(&unredacted));
        }
        match Screened::of(record, &self.redactor, &detail.masked()) {
            Some(screened) => self.is_written(&screened.applied(record)),
            None => self.is_written(record),
        }
    }

    fn is_written(&self, record: &Record<'_>) -> bool {
        self.is_done(|| self.sink.write(record))
    }

    fn is_done(&self, write: impl FnOnce()) -> bool {
        let is_written = guarded(write).is_some();
        if !is_written {
            let event = Event::new("audit", Severity::Error, "sink_failed", "a sink panicked");
            report(&self.events, &event);
        }
        is_written
    }

    fn close_gap(&self) {
        // What was folded for want of room is not to take what is left.
        if self.gaps.is_of_strangers() && self.is_scarce() {
            return;
        }
        // The gap's record needs room as well; without it the request's own record tells of it.
        if !self.reserve() {
            return;
        }
        let Some((missing, kinds)) = self.gaps.close() else {
            guarded(|| self.sink.release());
            self.gaps.is_honey_told.store(false, Ordering::Relaxed);
            return;
        };
        let detail = format!(
            "the sink has room again; without a record {} were refused and {} went on, and {} of \
             strangers came to nothing",
            missing.refused, missing.passed, missing.folded
        );
        let event = Event::new("audit", Severity::Warning, "room_again", detail);
        report(&self.events, &event);
        self.gaps.room_again();
        let now = guarded(|| self.clock.wall()).unwrap_or_default();
        let findings: Vec<_> = kinds.iter().filter_map(Folded::finding).collect();
        if !self.is_written(&Record::gap(now, missing, &findings)) {
            self.gaps.reopen(missing, &kinds);
        }
    }

    pub(crate) fn reserve(&self) -> bool {
        guarded(|| self.sink.reserve()) == Some(true)
    }
}

/// Requests that have no record, until a record says how many.
#[derive(Debug)]
pub(crate) struct Gaps {
    open: AtomicBool,
    /// Events said so, and have not said since that there is room again.
    is_full_told: AtomicBool,
    is_scarce_told: AtomicBool,
    /// A stranger's touch of a decoy has its record, and there has not been room since, as far as was looked.
    is_honey_told: AtomicBool,
    refused: AtomicU64,
    passed: AtomicU64,
    /// By the place of their kind among all; the last one of those that nobody refused.
    folded: [AtomicU64; KINDS],
}

const KINDS: usize = DenialKind::ALL.len() + 1;

/// What a gap record counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Missing {
    pub(crate) refused: u64,
    pub(crate) passed: u64,
    pub(crate) folded: u64,
    /// Those that stand in a spill file.
    pub(crate) spilled: u64,
}

/// Requests of strangers that came to nothing, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Folded {
    kind: Option<DenialKind>,
    count: u64,
}

impl Folded {
    fn finding(&self) -> Option<Finding> {
        let (verdict, kind) = match self.kind {
            Some(kind) => (Verdict::Refused, kind.name()),
            None => (Verdict::Noted, "not_refused"),
        };
        let reason = format!("{} of strangers", self.count);
        (self.count > 0).then(|| Finding::new("audit", verdict, kind, reason))
    }
}

impl Default for Gaps {
    fn default() -> Self {
        Self {
            open: AtomicBool::default(),
            is_full_told: AtomicBool::default(),
            is_scarce_told: AtomicBool::default(),
            is_honey_told: AtomicBool::default(),
            refused: AtomicU64::default(),
            passed: AtomicU64::default(),
            folded: array::from_fn(|_| AtomicU64::default()),
        }
    }
}

impl Gaps {
    /// Counts what has no record; tells whether events are still to say so.
    fn miss(&self, passed: bool) -> bool {
        let counter = if passed { &self.passed } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        self.open.store(true, Ordering::Release);
        !self.is_full_told.swap(true, Ordering::Relaxed)
    }

    /// The same of a stranger's request that came to nothing.
    fn fold(&self, kind: Option<DenialKind>) -> bool {
        if let Some(counter) = self.folded.get(place_of(kind)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.open.store(true, Ordering::Release);
        !self.is_scarce_told.swap(true, Ordering::Relaxed)
    }

    /// Events say that there is room again.
    fn room_again(&self) {
        self.is_full_told.store(false, Ordering::Relaxed);
        self.is_scarce_told.store(false, Ordering::Relaxed);
        self.is_honey_told.store(false, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether nothing else is missing.
    fn is_of_strangers(&self) -> bool {
        let none = |counter: &AtomicU64| counter.load(Ordering::Relaxed) == 0;
        none(&self.refused) && none(&self.passed)
    }

    /// Nobody learnt of what was missing.
    fn reopen(&self, missing: Missing, kinds: &[Folded]) {
        self.refused.fetch_add(missing.refused, Ordering::Relaxed);
        self.passed.fetch_add(missing.passed, Ordering::Relaxed);
        let unnamed = Folded {
            kind: None,
            count: missing.folded,
        };
        let folded = if kinds.is_empty() { &[unnamed] } else { kinds };
        for Folded { kind, count } in folded {
            if let Some(counter) = self.folded.get(place_of(*kind)) {
                counter.fetch_add(*count, Ordering::Relaxed);
            }
        }
        self.open.store(true, Ordering::Release);
    }

    /// Closes the gap; `None` if another request was first.
    fn close(&self) -> Option<(Missing, [Folded; KINDS])> {
        if !self.open.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut counters = self.folded.iter();
        let kinds = array::from_fn(|place| Folded {
            kind: DenialKind::ALL.get(place).copied(),
            count: counters
                .next()
                .map_or(0, |counter| counter.swap(0, Ordering::Relaxed)),
        });
        let missing = Missing {
            refused: self.refused.swap(0, Ordering::Relaxed),
            passed: self.passed.swap(0, Ordering::Relaxed),
            folded: kinds.iter().map(|folded| folded.count).sum(),
            spilled: 0,
        };
        // Who counts opens the gap afterwards, so that it can stand open with nothing in it.
        let any = missing.refused > 0 || missing.passed > 0 || missing.folded > 0;
        any.then_some((missing, kinds))
    }
}

/// Whether nobody was identified.
pub(crate) fn is_strangers(context: &SecurityContext) -> bool {
    context.principal().is_none_or(Principal::is_anonymous)
}

fn place_of(kind: Option<DenialKind>) -> usize {
    let place = kind.and_then(|kind| DenialKind::ALL.iter().position(|k| *k == kind));
    place.unwrap_or(KINDS - 1)
}

/// Reports an event, whatever its receivers do.
pub(crate) fn report(events: &Events, event: &Event) {
    guarded(|| events.emit(event));
}

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use bartizan_core::{Event, Events, Severity};

use crate::{Record, layer::Settings};

impl Settings {
    /// Whether the request's record has room. If earlier ones had none, says so in a record first.
    pub(crate) fn has_room(&self) -> bool {
        let room = self.reserve();
        if !room {
            let passed = self.continue_without_record;
            self.gaps.count(passed, &self.events);
        } else if self.gaps.is_open() {
            self.close_gap();
        }
        room
    }

    /// Writes into reserved room. Nothing that a sink does reaches the request.
    pub(crate) fn write(&self, record: &Record<'_>) {
        if !self.is_written(record) {
            self.gaps.count(true, &self.events);
        }
    }

    fn is_written(&self, record: &Record<'_>) -> bool {
        let is_written = guarded(|| self.sink.write(record)).is_some();
        if !is_written {
            let event = Event::new("audit", Severity::Error, "sink_failed", "a sink panicked");
            report(&self.events, &event);
        }
        is_written
    }

    fn close_gap(&self) {
        // The gap's record needs room as well; without it a later request tries again.
        if !self.reserve() {
            return;
        }
        let Some(missing) = self.gaps.close() else {
            guarded(|| self.sink.release());
            return;
        };
        let detail = format!(
            "the sink has room again; without a record {} were refused and {} went on",
            missing.refused, missing.passed
        );
        let event = Event::new("audit", Severity::Warning, "room_again", detail);
        report(&self.events, &event);
        let now = guarded(|| self.clock.wall()).unwrap_or_default();
        if !self.is_written(&Record::gap(now, missing)) {
            self.gaps.reopen(missing);
        }
    }

    fn reserve(&self) -> bool {
        guarded(|| self.sink.reserve()) == Some(true)
    }
}

/// Requests that have no record, until a record says how many.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    open: AtomicBool,
    refused: AtomicU64,
    passed: AtomicU64,
}

/// What a gap record counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) refused: u64,
    pub(crate) passed: u64,
}

impl Gaps {
    /// Counts a request without a record; reports the first one.
    fn count(&self, passed: bool, events: &Events) {
        let counter = if passed { &self.passed } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        if !self.open.swap(true, Ordering::AcqRel) {
            let (severity, detail) = if passed {
                (Severity::Warning, "requests go on without a record")
            } else {
                (
                    Severity::Error,
                    "there is no room for records: requests are refused",
                )
            };
            report(events, &Event::new("audit", severity, "no_room", detail));
        }
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Nobody learnt of what was missing.
    fn reopen(&self, missing: Missing) {
        self.refused.fetch_add(missing.refused, Ordering::Relaxed);
        self.passed.fetch_add(missing.passed, Ordering::Relaxed);
        self.open.store(true, Ordering::Release);
    }

    /// Closes the gap; `None` if another request was first.
    fn close(&self) -> Option<Missing> {
        if !self.open.swap(false, Ordering::AcqRel) {
            return None;
        }
        let missing = Missing {
            refused: self.refused.swap(0, Ordering::Relaxed),
            passed: self.passed.swap(0, Ordering::Relaxed),
        };
        // Who counts opens the gap afterwards, so that it can stand open with nothing in it.
        (missing.refused > 0 || missing.passed > 0).then_some(missing)
    }
}

/// Reports an event, whatever its receivers do.
pub(crate) fn report(events: &Events, event: &Event) {
    guarded(|| events.emit(event));
}

/// Runs code of a sink, a clock or a subscriber, perhaps while a panic unwinds: a second one that
/// got out would abort the process.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(|payload| {
            // Its destructor may panic again.
            if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(second);
            }
        })
        .ok()
}

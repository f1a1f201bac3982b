use std::{
    cell::{Cell, RefCell},
    fmt,
    marker::PhantomData,
};

use tracing::{Event, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::Filtered,
    layer::{Context, Filter},
    registry::LookupSpan,
};

use super::{JsonLines, tracing_sink::TARGET};
use crate::{AuditSink, Record, record::Parcel};

/// A `tracing_subscriber` layer that writes the records of a [`TracingSink`](crate::TracingSink) as
/// JSON lines, and nothing else. Made by [`JsonLines::into_layer`].
///
/// It writes the very line that any other sink writes: the record reaches it beside the event, so no
/// other code can forge one by an event of that target.
pub struct JsonLinesLayer {
    lines: JsonLines,
}

/// Lets audit events pass and nothing else.
#[derive(Clone)]
pub struct AuditRecordsOnly<S> {
    lines: JsonLines,
    subscriber: PhantomData<fn(S)>,
}

pub(super) type FilteredLayer<S> = Filtered<JsonLinesLayer, AuditRecordsOnly<S>, S>;

pub(super) fn layer<S>(lines: JsonLines) -> FilteredLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = AuditRecordsOnly {
        lines: lines.clone(),
        subscriber: PhantomData,
    };
    JsonLinesLayer { lines }.with_filter(filter)
}

thread_local! {
    /// The record whose event this thread is emitting.
    static CURRENT: RefCell<Parcel> = const { RefCell::new(Parcel::new()) };
}

thread_local! {
    /// Whoever let the record's event pass and has not been given it yet.
    static PROMISED: RefCell<Option<JsonLines>> = const { RefCell::new(None) };
}

thread_local! {
    /// Said by a filter while this thread asks whether records are wanted. The answer itself can't
    /// say it: with filters per layer, a subscriber takes an event that no layer will.
    static IS_FULL: Cell<bool> = const { Cell::new(false) };
}

thread_local! {
    /// Said in the same way.
    static IS_SCARCE: Cell<bool> = const { Cell::new(false) };
}

/// Whether records are wanted, and every layer of ours has room.
pub(super) fn has_room(is_wanted: impl FnOnce() -> bool) -> bool {
    IS_FULL.set(false);
    is_wanted() && !IS_FULL.get()
}

/// Whether records are wanted, and a layer of ours has little room.
pub(super) fn is_scarce(is_wanted: impl FnOnce() -> bool) -> bool {
    IS_SCARCE.set(false);
    is_wanted() && IS_SCARCE.get()
}

/// Emits a record's event with the record at hand.
pub(super) fn hand_over(record: &Record<'_>, emit: impl FnOnce()) {
    let mut current = Parcel::new();
    current.pack(record);
    let _outer = Outer {
        record: CURRENT.replace(current),
        promised: PROMISED.take(),
    };
    emit();
}

/// What was current before: no record outlives its event, also if a subscriber panics or records a
/// request of its own.
struct Outer {
    record: Parcel,
    promised: Option<JsonLines>,
}

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.set(std::mem::take(&mut self.record));
        // Another layer kept the event from every one.
        if let Some(lines) = PROMISED.replace(self.promised.take()) {
            lines.lose();
        }
    }
}

impl<S: Subscriber> Layer<S> for JsonLinesLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        CURRENT.with_borrow(|record| {
            if !record.is_empty() {
                PROMISED.take();
                self.lines.offer(record);
            }
        });
    }
}

impl<S> Filter<S> for AuditRecordsOnly<S> {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        if metadata.target() != TARGET {
            return false;
        }
        // The sink asks first whether anybody would take a record; that is no event yet.
        if !metadata.is_event() {
            if !self.lines.has_room() {
                IS_FULL.set(true);
            }
            if self.lines.is_scarce() {
                IS_SCARCE.set(true);
            }
        } else if CURRENT.with_borrow(|record| !record.is_empty()) {
            PROMISED.set(Some(self.lines.clone()));
        }
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

impl fmt::Debug for JsonLinesLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLinesLayer").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for AuditRecordsOnly<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditRecordsOnly").finish_non_exhaustive()
    }
}

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Durable, Record, Unredacted};

/// Where records go.
///
/// Room is reserved before a request goes on, and a request without room is refused. So a record is
/// never dropped for want of room, and no request waits for a disk. Every reservation that was granted
/// is followed by exactly one [`write`](Self::write) or [`release`](Self::release).
///
/// All of it runs on the request's thread, `write` possibly while a panic unwinds: it must be quick and
/// must not block. One that panics itself costs its record, which is then counted as missing. No lock
/// of the request's is held: a sink may record something itself, which then comes late.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use bartizan_audit::{AuditSink, Outcome, Record};
///
/// #[derive(Default)]
/// struct CountsPanics(AtomicU64);
///
/// impl AuditSink for CountsPanics {
///     fn reserve(&self) -> bool {
///         true
///     }
///
///     fn release(&self) {}
///
///     fn write(&self, record: &Record<'_>) {
///         if record.outcome == Some(Outcome::Panicked) {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait AuditSink: Send + Sync + 'static {
    /// Sets room for one record aside; `false` if there is none.
    fn reserve(&self) -> bool;

    /// Gives a reservation back that no record will use.
    fn release(&self);

    /// Takes a record, into room that was reserved.
    fn write(&self, record: &Record<'_>);

    /// Takes a record that is not redacted yet, into room that was reserved. By default redacts it, and
    /// [writes](Self::write) that. A sink around another one passes it on, so that a [`Queue`](crate::Queue)
    /// can redact on its own thread.
    fn write_unredacted(&self, record: &Unredacted<'_>) {
        self.write(&record.redacted());
    }

    /// Takes a record as [`write`](Self::write) does, and tells when it is durable: on a disk, so that it
    /// outlives a crash. By default it never is, and who needs it to be is refused.
    fn write_durably(&self, record: &Record<'_>) -> Durable {
        self.write(record);
        Durable::never()
    }

    /// Whether less than a quarter of the room is left. Then requests of strangers that come to nothing
    /// are counted and not recorded, so that they can't use up the room. A sink whose room strangers
    /// can't use up says `false`, as it does if it does not say.
    fn is_scarce(&self) -> bool {
        false
    }

    /// Waits until what was written is out of the process's hands; `false` if that takes longer than
    /// `patience`. Called by [`AuditLayer::flush`](crate::AuditLayer::flush) alone, and may block.
    fn flush(&self, _patience: Duration) -> bool {
        true
    }
}

impl<S: AuditSink + ?Sized> AuditSink for Arc<S> {
    fn reserve(&self) -> bool {
        (**self).reserve()
    }

    fn release(&self) {
        (**self).release();
    }

    fn write(&self, record: &Record<'_>) {
        (**self).write(record);
    }

    fn write_unredacted(&self, record: &Unredacted<'_>) {
        (**self).write_unredacted(record);
    }

    fn write_durably(&self, record: &Record<'_>) -> Durable {
        (**self).write_durably(record)
    }

    fn is_scarce(&self) -> bool {
        (**self).is_scarce()
    }

    fn flush(&self, patience: Duration) -> bool {
        (**self).flush(patience)
    }
}

/// Both take every record; there is room if both have it. A panic of one costs the other nothing.
impl<A: AuditSink, B: AuditSink> AuditSink for (A, B) {
    fn reserve(&self) -> bool {
        if !self.0.reserve() {
            return false;
        }
        match catch_unwind(AssertUnwindSafe(|| self.1.reserve())) {
            Ok(true) => true,
            Ok(false) => {
                self.0.release();
                false
            }
            Err(payload) => {
                self.0.release();
                resume_unwind(payload)
            }
        }
    }

    fn release(&self) {
        both(|| self.0.release(), || self.1.release());
    }

    fn write(&self, record: &Record<'_>) {
        both(|| self.0.write(record), || self.1.write(record));
    }

    fn write_unredacted(&self, record: &Unredacted<'_>) {
        both(
            || self.0.write_unredacted(record),
            || self.1.write_unredacted(record),
        );
    }

    /// Durable once it is in either.
    fn write_durably(&self, record: &Record<'_>) -> Durable {
        let (mut first, mut second) = (Durable::never(), Durable::never());
        both(
            || first = self.0.write_durably(record),
            || second = self.1.write_durably(record),
        );
        first.or(second)
    }

    fn is_scarce(&self) -> bool {
        self.0.is_scarce() || self.1.is_scarce()
    }

    fn flush(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        let first = self.0.flush(patience);
        self.1.flush(patience.saturating_sub(begun.elapsed())) && first
    }
}

/// Runs both whatever the first does; goes on with a panic afterwards, so that it is counted.
pub(crate) fn both(first: impl FnOnce(), second: impl FnOnce()) {
    let first = catch_unwind(AssertUnwindSafe(first));
    let second = catch_unwind(AssertUnwindSafe(second));
    match (first, second) {
        (Ok(()), Ok(())) => {}
        (Err(payload), Ok(())) | (Ok(()), Err(payload)) => resume_unwind(payload),
        (Err(payload), Err(other)) => {
            // Its destructor may panic as well.
            mem::forget(other);
            resume_unwind(payload)
        }
    }
}

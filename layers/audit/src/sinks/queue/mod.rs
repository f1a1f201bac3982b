mod buffer;
mod overflow;
mod thread;
mod watchers;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bartizan_core::{Event, Events, Severity};

pub use overflow::Overflow;

#[cfg(feature = "tracing-subscriber")]
use crate::record::{Harmless, Parcel};
use crate::{
    AuditConfigError, AuditSink, Durable, Outlet, Record, Unredacted, Watcher, gaps::report,
};
use buffer::Buffer;
use thread::Writer;
use watchers::Watchers;

/// Hands records to an [`Outlet`] on a thread of its own, in batches.
///
/// Requests append to a bounded buffer, which copies what the record shows, and never wait for the
/// outlet. The thread is not woken for each record: one reaches the outlet within about 20 milliseconds.
/// It makes each record's line once, whatever number of outlets take it.
///
/// Clones share the buffer and the thread. When the last one is dropped (those in layers count) the
/// buffer is written out, for which the dropping thread waits at most five seconds.
#[derive(Clone)]
pub struct Queue(Arc<Handle>);

impl Queue {
    /// Records that are in the buffer or reserved, unless [`capacity`](Self::capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// Hands records to an outlet.
    ///
    /// If the system has no thread left, the queue never has room.
    pub fn to(outlet: impl Outlet) -> Self {
        let buffer = Arc::new(Buffer::new(Self::DEFAULT_CAPACITY));
        let watchers = Watchers::default();
        let thread = Writer::new(outlet, Arc::clone(&buffer), watchers.clone());
        let spawned = std::thread::Builder::new()
            .name("bartizan-audit".to_owned())
            .spawn(move || thread.run());
        if spawned.is_err() {
            buffer.end();
            let detail = "there is no thread for the audit writer";
            report(
                &Events::default(),
                &Event::new("audit", Severity::Error, "writer_failed", detail),
            );
        }
        Self(Arc::new(Handle { buffer, watchers }))
    }

    /// How many records may wait at a time, those reserved for running requests included. They take
    /// 64 MiB at most, and besides [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES) for each running
    /// request.
    ///
    /// Requests that wait hold room before it is known who sent them: while their credentials are
    /// checked, say, by somebody else; and each holds it until its answer has ended, event streams
    /// included. Choose a number well above how many may be under way at a time, which
    /// the server's limit of connections and streams bounds; otherwise strangers alone can hold it all.
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1048576.
    pub fn capacity(self, records: usize) -> Result<Self, AuditConfigError> {
        if !(1..=1 << 20).contains(&records) {
            let problem = "is not from 1 to 1048576";
            let records = records.to_string();
            return Err(AuditConfigError::new("capacity", records, problem));
        }
        self.0.buffer.set_capacity(records);
        Ok(self)
    }

    /// What becomes of records when the queue is full, once for all its clones.
    ///
    /// # Errors
    ///
    /// If it was said before, a time is out of range, or the spill file can't be opened.
    pub fn overflow(self, overflow: Overflow) -> Result<Self, AuditConfigError> {
        let shown = format!("{overflow:?}");
        if let Some(policy) = overflow.policy()? {
            let set = self.0.buffer.set_overflow(policy);
            set.map_err(|_| AuditConfigError::new("overflow", shown, "is not the first one"))?;
        }
        Ok(self)
    }

    /// Where the thread reports that its outlet fails, and that it works again.
    #[must_use]
    pub fn events(self, events: Events) -> Self {
        self.0.buffer.set_events(events);
        self
    }

    /// Shows every record that is written from now on to one more watcher, after those that are there; for all its
    /// clones. Not shown is what an [`Overflow`] keeps out of the queue. Not to be called by a watcher.
    #[must_use]
    pub fn watched_by(self, watcher: impl Watcher) -> Self {
        self.0.watchers.add(Box::new(watcher));
        self
    }

    /// Waits until everything recorded so far was committed. Blocks the thread.
    ///
    /// # Errors
    ///
    /// If it takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), FlushError> {
        if self.0.buffer.flush(patience) {
            Ok(())
        } else {
            Err(FlushError::new())
        }
    }

    /// Whether a record would find room now.
    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn has_room(&self) -> bool {
        self.0.buffer.has_room()
    }

    /// Takes a record without a reservation. If there is no room it is counted, and a line says so
    /// later.
    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn offer(&self, record: &Parcel) {
        if self.0.buffer.reserve() {
            let line = |out: &mut Vec<u8>| {
                record.unpack(&mut Harmless::default()).next(0, |record| {
                    let unnumbered = Record {
                        sequence: None,
                        ..*record
                    };
                    unnumbered.write_json(out);
                });
            };
            let add = |waiting: &mut Parcel| waiting.add(record);
            self.0.buffer.append(add, None, line);
        } else {
            self.lose();
        }
    }

    /// Counts a record that did not get here; a line says so later.
    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn lose(&self) {
        self.0.buffer.lose();
    }
}

impl AuditSink for Queue {
    fn reserve(&self) -> bool {
        self.0.buffer.reserve()
    }

    fn release(&self) {
        self.0.buffer.give_back();
    }

    fn write(&self, record: &Record<'_>) {
        let pack = |waiting: &mut crate::record::Parcel| waiting.pack(record);
        self.0
            .buffer
            .append(pack, None, |out| record.write_json(out));
    }

    /// Redacted on the queue's thread.
    fn write_unredacted(&self, record: &Unredacted<'_>) {
        let pack = |waiting: &mut crate::record::Parcel| waiting.pack_unredacted(record);
        let line = |out: &mut Vec<u8>| record.redacted().write_json(out);
        self.0.buffer.append(pack, None, line);
    }

    /// The thread is woken at once, and commits with everything that waits.
    fn write_durably(&self, record: &Record<'_>) -> Durable {
        let (confirm, durable) = Durable::awaited();
        let pack = |waiting: &mut crate::record::Parcel| waiting.pack(record);
        self.0
            .buffer
            .append(pack, Some(confirm), |out| record.write_json(out));
        durable
    }

    fn is_scarce(&self) -> bool {
        self.0.buffer.is_scarce()
    }

    fn flush(&self, patience: Duration) -> bool {
        self.0.buffer.flush(patience)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// The last one to go lets the thread write what is left.
struct Handle {
    buffer: Arc<Buffer>,
    watchers: Watchers,
}

/// How long a dropped sink waits for its writer.
const PARTING: Duration = Duration::from_secs(5);

impl Drop for Handle {
    fn drop(&mut self) {
        let left = self.buffer.close(PARTING);
        self.buffer.close_spill();
        if left > 0 {
            let detail = format!("the writer did not take the last {left} records");
            let event = Event::new("audit", Severity::Error, "records_lost", detail);
            report(&self.buffer.events(), &event);
        }
    }
}

/// The writer did not write everything in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushError(());

impl FlushError {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the audit records were not written in time")
    }
}

impl Error for FlushError {}

#[cfg(all(test, feature = "file", unix))]
mod tests {
    use super::*;
    use crate::RotatingFile;

    #[test]
    fn a_spill_file_is_free_when_the_last_handle_is_gone_though_the_thread_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let spill = folder.path().join("spill");
        let queue = Queue::to(RotatingFile::open(folder.path().join("log")).unwrap());
        let queue = queue.overflow(Overflow::Spill(spill.clone())).unwrap();
        let of_the_thread = Arc::clone(&queue.0.buffer);
        assert!(RotatingFile::open(&spill).is_err());
        drop(queue);
        assert!(RotatingFile::open(&spill).is_ok());
        drop(of_the_thread);
    }
}

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    time::Duration,
};

use bartizan_core::Events;

use super::{Lines, append};
#[cfg(feature = "tracing-subscriber")]
use crate::record::Parcel;
use crate::{
    AuditConfigError, AuditSink, Durable, FlushError, Overflow, Queue, Record, Unredacted, Watcher,
};

/// Writes each record as one line of JSON, behind a [`Queue`]: a thread of its own does the writing, and
/// makes the lines. A line reaches the writer within about 20 milliseconds.
///
/// Clones share the queue and the thread. When the last one is dropped (those in layers count) the
/// queue is written out, for which the dropping thread waits at most five seconds.
#[derive(Clone)]
pub struct JsonLines(Queue);

impl JsonLines {
    /// See [`Queue::DEFAULT_CAPACITY`].
    pub const DEFAULT_CAPACITY: usize = Queue::DEFAULT_CAPACITY;

    /// Writes to the process's standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Writes to the process's standard error.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Appends to a file. One that is made is its owner's alone (mode 600) where there are modes.
    /// A line that a crash left half written is ended first. Records are numbered on from the last one there.
    ///
    /// Records that somebody waits for until they are [durable](AuditSink::write_durably) are synced to the
    /// disk, with all before them; others are when the operating system sees fit.
    ///
    /// # Errors
    ///
    /// If the file can't be opened for reading and appending.
    pub fn append(path: impl AsRef<Path>) -> Result<Self, AuditConfigError> {
        let mut file = append::open(path.as_ref(), "append")?;
        let synced = append::syncable(&file);
        let sequence = match synced {
            Some(_) => append::last_sequence(&mut file).unwrap_or_default(),
            None => 0,
        };
        Ok(Self(Queue::to(Lines::new(file, synced, sequence))))
    }

    /// Writes to a writer of your own.
    ///
    /// What fails is tried again, after 50 milliseconds and then ever later, up to five seconds. An
    /// error must mean that nothing of the buffer was taken, as [`Write::write`] demands.
    ///
    /// If the system has no thread left, the sink never has room.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        Self(Queue::to(Self::outlet(writer)))
    }

    /// What writes the lines, to stand beside other outlets behind one [`Queue`].
    pub fn outlet<W: Write + Send + 'static>(writer: W) -> Lines<W> {
        Lines::new(writer, None, 0)
    }

    /// See [`Queue::capacity`].
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1048576.
    pub fn capacity(self, records: usize) -> Result<Self, AuditConfigError> {
        self.0.capacity(records).map(Self)
    }

    /// See [`Queue::overflow`].
    ///
    /// # Errors
    ///
    /// If it was said before, a time is out of range, or the spill file can't be opened.
    pub fn overflow(self, overflow: Overflow) -> Result<Self, AuditConfigError> {
        self.0.overflow(overflow).map(Self)
    }

    /// Where the writer reports that it fails, and that it works again.
    #[must_use]
    pub fn events(self, events: Events) -> Self {
        Self(self.0.events(events))
    }

    /// See [`Queue::watched_by`].
    #[must_use]
    pub fn watched_by(self, watcher: impl Watcher) -> Self {
        Self(self.0.watched_by(watcher))
    }

    /// What it stands on.
    #[cfg(feature = "serde")]
    pub(crate) fn into_queue(self) -> Queue {
        self.0
    }

    /// Waits until everything recorded so far was written and flushed. Blocks the thread.
    ///
    /// What the operating system does with it is its own affair: a file is not synced to its disk.
    ///
    /// # Errors
    ///
    /// If it takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), FlushError> {
        self.0.flush(patience)
    }

    /// A subscriber layer that writes the records of a [`TracingSink`](crate::TracingSink) here.
    ///
    /// It looks for room before a request goes on and reserves none, since events can't: of requests that
    /// run at once more may be served than there is room for. Then a record of type `audit_gap` says how
    /// many have none, as it does if another subscriber layer keeps their events from this one.
    ///
    /// A subscriber that is set for the whole process is never dropped. Keep a clone, and
    /// [`flush`](Self::flush) it at the end of `main`.
    #[cfg(feature = "tracing-subscriber")]
    pub fn into_layer<S>(self) -> crate::sinks::subscriber::FilteredLayer<S>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        crate::sinks::subscriber::layer(self)
    }

    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn has_room(&self) -> bool {
        self.0.has_room()
    }

    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn offer(&self, record: &Parcel) {
        self.0.offer(record);
    }

    #[cfg(feature = "tracing-subscriber")]
    pub(super) fn lose(&self) {
        self.0.lose();
    }
}

impl AuditSink for JsonLines {
    fn reserve(&self) -> bool {
        self.0.reserve()
    }

    fn release(&self) {
        self.0.release();
    }

    fn write(&self, record: &Record<'_>) {
        self.0.write(record);
    }

    fn write_unredacted(&self, record: &Unredacted<'_>) {
        self.0.write_unredacted(record);
    }

    fn write_durably(&self, record: &Record<'_>) -> Durable {
        self.0.write_durably(record)
    }

    fn is_scarce(&self) -> bool {
        self.0.is_scarce()
    }

    fn flush(&self, patience: Duration) -> bool {
        AuditSink::flush(&self.0, patience)
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}

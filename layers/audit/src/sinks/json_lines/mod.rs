mod append;
mod buffer;
mod writer;

use std::{
    error::Error,
    fmt,
    io::{self, Write},
    path::Path,
    sync::Arc,
    thread,
    time::Duration,
};

use bartizan_core::{Event, Events, Severity};

#[cfg(feature = "tracing-subscriber")]
use crate::record::Parcel;
use crate::{AuditConfigError, AuditSink, Record, gaps::report};
use buffer::Buffer;
use writer::Writer;

/// Writes each record as one line of JSON.
///
/// A thread of its own does the writing, and makes the lines. Requests append to a bounded buffer and
/// never wait for the writer; when it fails or stalls, the buffer fills, and then there is no room. A line reaches the
/// writer within about 20 milliseconds.
///
/// Clones share the buffer and the thread. When the last one is dropped (those in layers count) the
/// buffer is written out, for which the dropping thread waits at most five seconds.
#[derive(Clone)]
pub struct JsonLines(Arc<Handle>);

impl JsonLines {
    /// Records that are in the buffer or reserved, unless [`capacity`](Self::capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// Writes to the process's standard output.
    pub fn stdout() -> Self {
        Self::to(io::stdout())
    }

    /// Writes to the process's standard error.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    /// Appends to a file. One that is made is its owner's alone (mode 600) where there are modes.
    /// A line that a crash left half written is ended first.
    ///
    /// # Errors
    ///
    /// If the file can't be opened for reading and appending.
    pub fn append(path: impl AsRef<Path>) -> Result<Self, AuditConfigError> {
        append::open(path.as_ref()).map(Self::to)
    }

    /// Writes to a writer of your own.
    ///
    /// What fails is tried again, after 50 milliseconds and then ever later, up to five seconds. An
    /// error must mean that nothing of the buffer was taken, as [`Write::write`] demands.
    ///
    /// If the system has no thread left, the sink never has room.
    pub fn to(writer: impl Write + Send + 'static) -> Self {
        let buffer = Arc::new(Buffer::new(Self::DEFAULT_CAPACITY));
        let thread = Writer::new(writer, Arc::clone(&buffer));
        let spawned = thread::Builder::new()
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
        Self(Arc::new(Handle { buffer }))
    }

    /// How many records may wait at a time, those reserved for running requests included. They take
    /// 64 MiB at most, and besides [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES) for each running
    /// request.
    ///
    /// Requests that wait hold room before it is known who sent them: while their credentials are
    /// checked, say, by somebody else. Choose a number well above how many may do so at a time, which
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

    /// Where the writer reports that it fails, and that it works again.
    #[must_use]
    pub fn events(self, events: Events) -> Self {
        self.0.buffer.set_events(events);
        self
    }

    /// Waits until everything recorded so far was written and flushed. Blocks the thread.
    ///
    /// What the operating system does with it is its own affair: a file is not synced to its disk.
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
            self.0.buffer.append(|waiting| waiting.add(record));
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

impl AuditSink for JsonLines {
    fn reserve(&self) -> bool {
        self.0.buffer.reserve()
    }

    fn release(&self) {
        self.0.buffer.release(1);
    }

    fn write(&self, record: &Record<'_>) {
        self.0.buffer.append(|waiting| waiting.pack(record));
    }

    fn is_scarce(&self) -> bool {
        self.0.buffer.is_scarce()
    }

    fn flush(&self, patience: Duration) -> bool {
        self.0.buffer.flush(patience)
    }
}

impl fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}

/// The last one to go lets the thread write what is left.
struct Handle {
    buffer: Arc<Buffer>,
}

/// How long a dropped sink waits for its writer.
const PARTING: Duration = Duration::from_secs(5);

impl Drop for Handle {
    fn drop(&mut self) {
        let left = self.buffer.close(PARTING);
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

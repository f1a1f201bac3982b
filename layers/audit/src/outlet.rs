use std::{io, time::Instant};

use crate::{Record, sink::both};

/// Where records come to on the thread that writes them: a file, a detector, a socket.
///
/// Behind a [`Queue`](crate::Queue), which makes each record's line once, whatever number of outlets take
/// it. They come in their order, each exactly once. Nothing here runs on a request's thread, so it may
/// block; while it does the queue fills.
///
/// Several outlets behind one queue are a tuple or a `Vec` of boxes. One that fails or stalls stops the
/// others as well, so what is to go on alone has a queue of its own
/// ([`AuditLayer::also`](crate::AuditLayer::also)).
///
/// ```
/// use std::io;
/// use bartizan_audit::{Commit, JsonLines, Outlet, Queue, Record};
///
/// /// Counts refusals as they come.
/// #[derive(Default)]
/// struct Refusals(u64);
///
/// impl Outlet for Refusals {
///     fn take(&mut self, record: &Record<'_>, _line: &[u8]) {
///         self.0 += u64::from(record.metadata.denial.is_some());
///     }
///
///     fn commit(&mut self, _: Commit) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let queue = Queue::to((JsonLines::outlet(io::sink()), Refusals::default()));
/// # drop(queue);
/// ```
pub trait Outlet: Send + 'static {
    /// Takes the next record, and its line: one JSON object without the line's end.
    ///
    /// What can fail belongs into [`commit`](Self::commit). A panic costs this outlet its record, which an
    /// event says; nobody who waits for it is told that it is durable.
    fn take(&mut self, record: &Record<'_>, line: &[u8]);

    /// Lets go of everything taken so far: some dozens of kilobytes at most, and whatever there is when
    /// no more records wait.
    ///
    /// # Errors
    ///
    /// Anything: it is called again, after 50 milliseconds and then ever later, up to five seconds, with
    /// nothing taken in between. It goes on where it came to.
    fn commit(&mut self, commit: Commit) -> io::Result<()>;

    /// The number of the last record that it holds from before, after which the queue goes on counting. Asked
    /// once, at the beginning; 0 if there is none.
    fn last_sequence(&self) -> u64 {
        0
    }

    /// What of the records taken is still to be committed, in whatever unit. A failed
    /// [`commit`](Self::commit) that made it less is slow rather than broken, and soon called again.
    fn pending(&self) -> usize {
        0
    }

    /// Whether what was committed as [`Commit::Durable`] outlives a crash of the machine. Who needs a durable
    /// record and finds no outlet that says so is refused.
    fn is_durable(&self) -> bool {
        false
    }

    /// When [`commit`](Self::commit) is to be called even though no record came. Asked after each commit.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// No more records will come: what is to stand at the end is taken now, and committed next.
    fn end(&mut self) {}
}

/// How much a commit is to achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "who commits decides of every sort of it"
)]
pub enum Commit {
    /// The records are out of this process's hands.
    Written,
    /// Somebody waits until they are on the disk.
    Durable,
}

impl<O: Outlet + ?Sized> Outlet for Box<O> {
    fn take(&mut self, record: &Record<'_>, line: &[u8]) {
        (**self).take(record, line);
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        (**self).commit(commit)
    }

    fn last_sequence(&self) -> u64 {
        (**self).last_sequence()
    }

    fn pending(&self) -> usize {
        (**self).pending()
    }

    fn is_durable(&self) -> bool {
        (**self).is_durable()
    }

    fn due(&self) -> Option<Instant> {
        (**self).due()
    }

    fn end(&mut self) {
        (**self).end();
    }
}

/// All take every record; they commit in their order.
impl<O: Outlet> Outlet for Vec<O> {
    fn take(&mut self, record: &Record<'_>, line: &[u8]) {
        for outlet in self {
            outlet.take(record, line);
        }
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.iter_mut().try_for_each(|outlet| outlet.commit(commit))
    }

    fn last_sequence(&self) -> u64 {
        self.iter()
            .map(Outlet::last_sequence)
            .max()
            .unwrap_or_default()
    }

    fn pending(&self) -> usize {
        self.iter().map(Outlet::pending).sum()
    }

    fn is_durable(&self) -> bool {
        self.iter().any(Outlet::is_durable)
    }

    fn due(&self) -> Option<Instant> {
        self.iter().filter_map(Outlet::due).min()
    }

    fn end(&mut self) {
        self.iter_mut().for_each(Outlet::end);
    }
}

/// Both take every record, and the first commits first.
impl<A: Outlet, B: Outlet> Outlet for (A, B) {
    fn take(&mut self, record: &Record<'_>, line: &[u8]) {
        both(|| self.0.take(record, line), || self.1.take(record, line));
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.0.commit(commit)?;
        self.1.commit(commit)
    }

    fn last_sequence(&self) -> u64 {
        self.0.last_sequence().max(self.1.last_sequence())
    }

    fn pending(&self) -> usize {
        self.0.pending() + self.1.pending()
    }

    fn is_durable(&self) -> bool {
        self.0.is_durable() || self.1.is_durable()
    }

    fn due(&self) -> Option<Instant> {
        let due = [self.0.due(), self.1.due()];
        due.into_iter().flatten().min()
    }

    fn end(&mut self) {
        both(|| self.0.end(), || self.1.end());
    }
}

use std::{
    io, mem,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bartizan_core::{Event, Severity, guarded, printable};

use super::{
    buffer::{Buffer, Next, Untold},
    watchers::{Watchers, Watching},
};
use crate::{
    Commit, Outlet, Record,
    durable::Confirm,
    gaps::{Missing, report},
    record::{Harmless, Parcel},
};

/// The thread that owns the outlets.
pub(super) struct Writer<O> {
    outlet: O,
    buffer: Arc<Buffer>,
    watchers: Watchers,
    line: Vec<u8>,
    /// Of lines since the last commit.
    bytes: usize,
    /// An outlet did not take one of the last lines.
    is_untaken: bool,
    /// Of the last record.
    sequence: u64,
    is_failing: bool,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Bytes of lines that are made before they are committed.
const AT_ONCE: usize = 64 << 10;

impl<O: Outlet> Writer<O> {
    pub(super) fn new(outlet: O, buffer: Arc<Buffer>, watchers: Watchers) -> Self {
        let sequence = outlet.last_sequence();
        Self {
            outlet,
            buffer,
            watchers,
            line: Vec::new(),
            bytes: 0,
            is_untaken: false,
            sequence,
            is_failing: false,
        }
    }

    pub(super) fn run(self) {
        let buffer = Arc::clone(&self.buffer);
        let _over = Over(&buffer);
        buffer.begin();
        // Gone before that is said, and with it the outlets, so that a file can be opened again at once.
        let mut writer = self;
        writer.write_all(&buffer);
    }

    fn write_all(&mut self, buffer: &Buffer) {
        let (mut parcel, mut harmless) = (Parcel::with_room(), Harmless::default());
        loop {
            let is_alive = match buffer.next(&mut parcel, self.due()) {
                // Of what was lost while these were written somebody is told though no more come.
                Next::Records => {
                    self.write(&mut parcel, &mut harmless) && self.tell_what_was_lost()
                }
                Next::Due => {
                    self.watched(Self::wake);
                    self.commit(Commit::Written)
                }
                Next::Over => break,
            };
            if !is_alive {
                return;
            }
        }
        self.say_what_was_lost();
        self.watched(Self::end);
        guarded(|| self.outlet.end());
        self.commit(Commit::Written);
    }

    /// When the outlet wants to commit or a watcher to be woken though there is nothing new; not at once after the
    /// last time.
    fn due(&self) -> Option<Instant> {
        let outlet = guarded(|| self.outlet.due()).flatten();
        let due = [outlet, self.watchers.due()].into_iter().flatten().min()?;
        Some(due.max(Instant::now() + FIRST_PAUSE))
    }

    /// Writes a parcel's records; `false` if the sink was closed meanwhile.
    fn write(&mut self, parcel: &mut Parcel, harmless: &mut Harmless) -> bool {
        let mut confirms = parcel.take_confirms().into_iter().peekable();
        let mut unpacking = parcel.unpack(harmless);
        let mut done = 0;
        let mut untaken = Vec::new();
        while !unpacking.is_over() {
            let mut records = 0;
            self.bytes = 0;
            while self.bytes < AT_ONCE {
                let next = self.sequence + 1;
                let taken = unpacking.next(next, |record| {
                    self.sequence = next;
                    self.take(record);
                });
                if taken.is_none() {
                    break;
                }
                if mem::take(&mut self.is_untaken) {
                    untaken.push(done + records);
                }
                records += 1;
            }
            if unpacking.is_over() {
                self.say_what_was_lost();
            }
            done += records;
            let is_awaited = confirms.peek().is_some_and(|(place, _)| *place < done);
            let is_durable = is_awaited && self.outlet.is_durable();
            let commit = if is_durable {
                Commit::Durable
            } else {
                Commit::Written
            };
            if !self.commit(commit) {
                return false;
            }
            while let Some((place, confirm)) = confirms.next_if(|(place, _)| *place < done) {
                // Otherwise it is dropped, and says that it is not.
                if is_durable && !untaken.contains(&place) {
                    Confirm::confirm(confirm);
                }
            }
            self.buffer.written(records);
        }
        true
    }

    /// Gives the record, which has its number, its line, and shows it to who watches.
    fn take(&mut self, record: &Record<'_>) {
        self.make_line(record);
        self.watched(|this, watchers| this.show(record, watchers));
    }

    fn watched(&mut self, run: impl FnOnce(&mut Self, &mut [Watching])) {
        let watchers = self.watchers.clone();
        watchers.with(|all| {
            if !all.is_empty() {
                run(self, all);
            }
        });
    }

    pub(super) fn numbered<'r>(&mut self, record: Record<'r>) -> Record<'r> {
        self.sequence += 1;
        Record {
            sequence: Some(self.sequence),
            ..record
        }
    }

    /// Makes the record's line, once for all.
    pub(super) fn make_line(&mut self, record: &Record<'_>) {
        self.line.clear();
        record.write_json(&mut self.line);
        self.bytes += self.line.len() + 1;
        let taken = guarded(|| self.outlet.take(record, &self.line));
        if taken.is_none() {
            self.is_untaken = true;
            let detail = "an outlet panicked at a record".to_owned();
            self.report(Severity::Error, "outlet_failed", detail);
        }
    }

    /// Commits all of it, however often that fails; `false` if the sink was closed meanwhile.
    fn commit(&mut self, commit: Commit) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.outlet.pending();
            match attempt(|| self.outlet.commit(commit)) {
                Ok(()) => {
                    self.report_recovery();
                    return true;
                }
                Err(error) => self.report_failure(&error),
            }
            // A writer that takes some at a time, a full pipe say, is slow and not broken.
            if self.outlet.pending() < before {
                pause = FIRST_PAUSE;
            }
            if !self.buffer.pause(pause) {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn report_failure(&mut self, error: &io::Error) {
        if !self.is_failing {
            self.is_failing = true;
            // A writer's own error may panic when it is shown.
            let shown = guarded(|| error.to_string()).unwrap_or_default();
            let detail = printable(&shown, 200).to_string();
            self.report(Severity::Error, "writer_failed", detail);
        }
    }

    fn report_recovery(&mut self) {
        if self.is_failing {
            self.is_failing = false;
            let detail = "audit records are written again".to_owned();
            self.report(Severity::Info, "writer_recovered", detail);
        }
    }

    pub(super) fn report(&self, severity: Severity, kind: &'static str, detail: String) {
        let event = Event::new("audit", severity, kind, detail);
        report(&self.buffer.events(), &event);
    }

    fn tell_what_was_lost(&mut self) -> bool {
        !self.say_what_was_lost() || self.commit(Commit::Written)
    }

    /// Writes a record of those that did not come through here, if there are any.
    fn say_what_was_lost(&mut self) -> bool {
        let Some(Untold { lost, spilled }) = self.buffer.take_untold() else {
            return false;
        };
        let missing = Missing {
            passed: lost,
            spilled,
            ..Missing::default()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let gap = self.numbered(Record::gap(now.unwrap_or_default(), missing, &[]));
        self.take(&gap);
        if lost > 0 {
            let detail = format!("{lost} records found no room");
            self.report(Severity::Error, "records_lost", detail);
        }
        if spilled > 0 {
            let detail = format!("there is room again; {spilled} records stand in the spill file");
            self.report(Severity::Warning, "records_spilled", detail);
        }
        true
    }
}

/// Nobody is to wait for a thread that ended, however it did, nor to trust it with records.
struct Over<'a>(&'a Buffer);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
        if thread::panicking() {
            let detail = "the audit writer panicked: it takes no more records";
            let event = Event::new("audit", Severity::Error, "writer_failed", detail);
            report(&self.0.events(), &event);
        }
    }
}

/// A writer that panics has failed.
fn attempt<T>(run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    guarded(run).unwrap_or_else(|| Err(io::Error::other("the writer panicked")))
}

#[cfg(test)]
#[allow(clippy::panic, reason = "as the test tells it to")]
mod tests {
    use std::sync::Mutex;

    use bartizan_core::Events;

    use super::*;

    #[test]
    fn a_thread_that_panics_is_told_of_and_one_that_is_done_is_not() {
        for (panics, told) in [(true, &["writer_failed"][..]), (false, &[])] {
            let buffer = Arc::new(Buffer::new(10));
            let kinds = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&kinds);
            let keep = move |event: &Event| kept.lock().unwrap().push(event.kind);
            buffer.set_events(Events::to(keep));
            let ends = Arc::clone(&buffer);
            let ended = std::thread::spawn(move || {
                let _over = Over(&ends);
                assert!(!panics, "as told");
            });
            assert_eq!(ended.join().is_err(), panics);
            assert_eq!(*kinds.lock().unwrap(), told);
            assert!(!buffer.reserve());
        }
    }
}

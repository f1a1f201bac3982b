use std::{
    io::{self, ErrorKind, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_core::{Event, Severity, printable};

use super::buffer::Buffer;
use crate::{
    Record,
    gaps::{Missing, report},
    record::{Parcel, Unpacking},
};

/// The thread that owns the writer.
pub(super) struct Writer<W> {
    writer: W,
    buffer: Arc<Buffer>,
    is_failing: bool,
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Bytes of lines that are made before they are written.
const AT_ONCE: usize = 64 << 10;

impl<W: Write> Writer<W> {
    pub(super) fn new(writer: W, buffer: Arc<Buffer>) -> Self {
        Self {
            writer,
            buffer,
            is_failing: false,
        }
    }

    pub(super) fn run(mut self) {
        let buffer = Arc::clone(&self.buffer);
        let _over = Over(&buffer);
        let (mut parcel, mut lines) = (Parcel::with_room(), Vec::new());
        while self.buffer.next(&mut parcel).is_some() {
            let mut unpacking = parcel.unpack();
            while !unpacking.is_over() {
                let records = write_lines(&mut unpacking, &mut lines);
                if unpacking.is_over() {
                    self.say_what_was_lost(&mut lines);
                }
                if !self.deliver(&lines) {
                    return;
                }
                lines.clear();
                self.buffer.written(records);
            }
        }
        let mut last = Vec::new();
        self.say_what_was_lost(&mut last);
        self.deliver(&last);
    }

    /// Writes all of it, however often that fails; `false` if the sink was closed meanwhile.
    fn deliver(&mut self, mut rest: &[u8]) -> bool {
        let mut pause = FIRST_PAUSE;
        loop {
            let before = rest.len();
            match self.attempt(&mut rest) {
                Ok(()) => {
                    self.report_recovery();
                    return true;
                }
                Err(error) => self.report_failure(&error),
            }
            // A writer that takes some at a time, a full pipe say, is slow and not broken.
            if rest.len() < before {
                pause = FIRST_PAUSE;
            }
            if !self.buffer.pause(pause) {
                return false;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Writes on from where the last attempt came to.
    fn attempt(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match guarded(|| self.writer.write(rest)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(taken) => *rest = rest.get(taken..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        guarded(|| self.writer.flush())
    }

    fn report_failure(&mut self, error: &io::Error) {
        if !self.is_failing {
            self.is_failing = true;
            // A writer's own error may panic when it is shown.
            let shown = crate::gaps::guarded(|| error.to_string()).unwrap_or_default();
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

    fn report(&self, severity: Severity, kind: &'static str, detail: String) {
        let event = Event::new("audit", severity, kind, detail);
        report(&self.buffer.events(), &event);
    }

    fn say_what_was_lost(&self, lines: &mut Vec<u8>) {
        let lost = self.buffer.take_lost();
        if lost == 0 {
            return;
        }
        let missing = Missing {
            refused: 0,
            passed: u64::try_from(lost).unwrap_or(u64::MAX),
            folded: 0,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Record::gap(now.unwrap_or_default(), missing, &[]).write_json(lines);
        lines.push(b'\n');
        let detail = format!("{lost} records found no room");
        self.report(Severity::Error, "records_lost", detail);
    }
}

/// Appends lines, as many as go to the writer at once; tells how many.
fn write_lines(unpacking: &mut Unpacking<'_>, lines: &mut Vec<u8>) -> usize {
    let mut records = 0;
    while lines.len() < AT_ONCE && unpacking.write_line(lines).is_some() {
        records += 1;
    }
    records
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
fn guarded<T>(run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        // Its destructor may panic as well.
        std::mem::forget(payload);
        Err(io::Error::other("the writer panicked"))
    })
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

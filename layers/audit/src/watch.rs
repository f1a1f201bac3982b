use std::{
    fmt,
    time::{Duration, Instant},
};

use crate::{Alert, Anomaly, Record};

/// Who looks at every record on the thread that writes it, and may add records of its own: a detector, or what
/// raises alerts.
///
/// Given to a [`Queue`](crate::Queue::watched_by) or to [`JsonLines`](crate::JsonLines::watched_by). Nothing here runs
/// on a request's thread, but while it runs the queue fills: it must not block.
///
/// Each record is shown once, when it has its number and before its line is committed: those of requests, of events
/// and of gaps, and whatever *earlier* watchers add, in the order of their numbers. What a watcher adds is never shown to
/// itself nor to those before it, so that none goes round in circles. Detectors come first, then what watches detectors.
///
/// A panic costs the watcher that record, and the log nothing. An event `watcher_failed` says so, once until the
/// watcher has got through a record.
///
/// ```
/// use bartizan_audit::{Adding, Anomaly, JsonLines, Record, Severity, Watcher};
///
/// /// Finds it unusual that anybody asks for one tool.
/// struct Curious;
///
/// impl Watcher for Curious {
///     fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
///         if record.tool_name.is_some_and(|tool| tool.as_str() == "launch_missiles") {
///             let found = Anomaly::new("curious", "tool", Severity::Critical).value("launch_missiles");
///             adding.anomaly(record.timestamp, Some(record), &found);
///         }
///     }
/// }
///
/// let lines = JsonLines::stdout().watched_by(Curious);
/// # drop(lines);
/// ```
pub trait Watcher: Send + 'static {
    /// Looks at the next record, and adds at most [`Adding::MOST`].
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>);

    /// When it is to be [woken](Self::wake) even though no record came. Asked after each commit; it may be 50
    /// milliseconds late.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// The time that it was [due](Self::due) at has come.
    fn wake(&mut self, _adding: &mut Adding<'_>) {}

    /// No more records will come.
    fn end(&mut self, _adding: &mut Adding<'_>) {}
}

impl<W: Watcher + ?Sized> Watcher for Box<W> {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        (**self).see(record, adding);
    }

    fn due(&self) -> Option<Instant> {
        (**self).due()
    }

    fn wake(&mut self, adding: &mut Adding<'_>) {
        (**self).wake(adding);
    }

    fn end(&mut self, adding: &mut Adding<'_>) {
        (**self).end(adding);
    }
}

/// Where a [`Watcher`] puts what it adds to the log: each record gets the next number at once, and a line behind the
/// one that is looked at. It takes no room from those of requests.
pub struct Adding<'q> {
    left: usize,
    take: &'q mut dyn FnMut(Record<'_>),
}

impl<'q> Adding<'q> {
    /// Records that a watcher may add to each that it is shown, and whenever it is woken.
    pub const MOST: usize = 8;

    /// Hands what is added to a function: for a watcher's own tests.
    pub fn to(take: &'q mut dyn FnMut(Record<'_>)) -> Self {
        Self {
            left: Self::MOST,
            take,
        }
    }

    /// How many more there may be.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Adds a record of type `anomaly`, found at a time since the Unix epoch, and whose user, address and correlation id
    /// are those of the record that showed it; `false` if that is one too many.
    pub fn anomaly(
        &mut self,
        at: Duration,
        of: Option<&Record<'_>>,
        anomaly: &Anomaly<'_>,
    ) -> bool {
        self.add(Record::anomaly(at, of, anomaly))
    }

    /// Adds a record of type `alert`, in the same way.
    pub fn alert(&mut self, at: Duration, of: Option<&Record<'_>>, alert: &Alert<'_>) -> bool {
        self.add(Record::alert(at, of, alert))
    }

    fn add(&mut self, record: Record<'_>) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            return false;
        };
        self.left = left;
        (self.take)(record);
        true
    }
}

impl fmt::Debug for Adding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

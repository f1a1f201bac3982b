use std::{cell::OnceCell, fmt, sync::Arc};

use bartizan_sensitive::Redactor;

use super::{Record, Screened};

/// A record that nobody has looked through for what is sensitive. Nothing of it can be read but redacted.
///
/// Looking takes longer than all else that a record costs its request, so a [`Queue`](crate::Queue) does it on its
/// own thread.
pub struct Unredacted<'r> {
    record: &'r Record<'r>,
    redactor: &'r Arc<Redactor>,
    screened: OnceCell<Option<Screened>>,
}

/// Bytes of reasons that are carried whole.
const MOST_REASONS: usize = 4096;

impl<'r> Unredacted<'r> {
    /// `None` of a record with so long reasons that a queue would hold more for it than a record may take.
    pub(crate) fn of(record: &'r Record<'r>, redactor: &'r Arc<Redactor>) -> Option<Self> {
        (record.findings.chosen_bytes() <= MOST_REASONS).then(|| Self {
            record,
            redactor,
            screened: OnceCell::new(),
        })
    }

    /// The record, without what is sensitive in it.
    pub fn redacted(&self) -> Record<'_> {
        let screen = || Screened::of(self.record, self.redactor, &[]);
        match self.screened.get_or_init(screen) {
            Some(screened) => screened.applied(self.record),
            None => *self.record,
        }
    }

    pub(crate) fn raw(&self) -> (&'r Record<'r>, &'r Arc<Redactor>) {
        (self.record, self.redactor)
    }
}

impl fmt::Debug for Unredacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.redacted().fmt(f)
    }
}

//! Counts records by group, within a bound.

mod cell;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use bartizan_audit::{EventId, Severity};

use crate::{
    alert::{AlertKind, RecordRef},
    rule::{Group, Rule},
};
use cell::Cell;

/// The groups of one rule. Whoever comes when there are as many as may be counts in a cell with all others.
pub(crate) struct Groups {
    limits: Limits,
    most: usize,
    cells: HashMap<u64, Cell>,
    others: Option<Cell>,
    /// When quiet ends, and whose: one entry for each cell at most. `None` are the others.
    ends: BinaryHeap<Reverse<(Duration, Option<u64>)>>,
    /// Looking for cells that are over is not worth while before this.
    sweep_after: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    count: usize,
    window: Duration,
    quiet: Duration,
}

/// A record that fits the rule.
pub(crate) struct Seen {
    /// On the monotonic clock.
    pub(crate) now: Duration,
    pub(crate) severity: Severity,
    pub(crate) record: RecordRef,
}

/// What an alert is raised of.
pub(crate) struct Sum {
    pub(crate) id: EventId,
    /// The alert before this one in the same group, while there was no quiet.
    pub(crate) after: Option<EventId>,
    pub(crate) kind: AlertKind,
    pub(crate) severity: Severity,
    pub(crate) group: Group,
    pub(crate) is_other: bool,
    pub(crate) count: u64,
    pub(crate) first: Duration,
    pub(crate) last: Duration,
    pub(crate) records: Vec<RecordRef>,
}

impl Groups {
    pub(crate) fn of(rule: &Rule) -> Self {
        Self {
            limits: Limits {
                count: rule.count as usize,
                window: rule.window,
                quiet: rule.quiet,
            },
            most: rule.groups as usize,
            cells: HashMap::new(),
            others: None,
            ends: BinaryHeap::new(),
            sweep_after: Duration::ZERO,
        }
    }

    /// Counts a record; tells if an alert is to be raised.
    pub(crate) fn count(
        &mut self,
        key: u64,
        group: impl FnOnce() -> Group,
        seen: Seen,
    ) -> Option<Sum> {
        let now = seen.now;
        if !self.cells.contains_key(&key) && !self.has_room(now) {
            let others = self.others.get_or_insert_with(Cell::of_others);
            let (sum, ends) = others.count(seen, self.limits)?;
            self.ends.extend(ends.map(|at| Reverse((at, None))));
            return Some(sum);
        }
        let cell = self.cells.entry(key);
        let cell = cell.or_insert_with(|| Cell::new(group()));
        let (sum, ends) = cell.count(seen, self.limits)?;
        self.ends.extend(ends.map(|at| Reverse((at, Some(key)))));
        Some(sum)
    }

    /// The next group whose quiet has ended and of which there is something to tell.
    pub(crate) fn next_ended(&mut self, now: Duration) -> Option<Sum> {
        while self.due().is_some_and(|due| due <= now) {
            let Reverse((_, key)) = self.ends.pop()?;
            let cell = match key {
                Some(key) => self.cells.get_mut(&key),
                None => self.others.as_mut(),
            };
            if let Some((sum, ends)) = cell.and_then(|cell| cell.end_quiet(now, self.limits)) {
                self.ends.push(Reverse((ends, key)));
                return Some(sum);
            }
            match key {
                Some(key) => drop(self.cells.remove(&key)),
                None => self.others = None,
            }
        }
        None
    }

    /// What is still untold of the next group, whenever its quiet ends.
    pub(crate) fn next_untold(&mut self) -> Option<Sum> {
        self.next_ended(Duration::MAX)
    }

    /// When the next quiet ends, on the monotonic clock.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.ends.peek().map(|Reverse((at, _))| *at)
    }

    fn has_room(&mut self, now: Duration) -> bool {
        if self.cells.len() < self.most {
            return true;
        }
        if now < self.sweep_after {
            return false;
        }
        let limits = self.limits;
        self.cells.retain(|_, cell| !cell.is_over(now, limits));
        // Sweeping looks at every cell: strangers are not to make it happen at every record.
        self.sweep_after = now + limits.window / 64;
        self.cells.len() < self.most
    }

    /// How many there are, the others included.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.cells.len() + usize::from(self.others.is_some())
    }
}

#[cfg(test)]
mod tests;

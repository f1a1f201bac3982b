use std::{collections::VecDeque, mem, time::Duration};

use bartizan_audit::{EventId, Severity};

use super::{Limits, Seen, Sum};
use crate::{
    alert::{Alert, AlertKind, RecordRef},
    rule::Group,
};

/// What is counted of one group.
pub(super) struct Cell {
    group: Group,
    is_other: bool,
    /// What counts towards the threshold.
    counted: VecDeque<Counted>,
    /// Set while there is quiet.
    quiet: Option<Quiet>,
    /// The last ones of what was not told yet.
    records: VecDeque<RecordRef>,
}

struct Counted {
    /// On the monotonic clock.
    now: Duration,
    /// The record's time.
    at: Duration,
    severity: Severity,
}

struct Quiet {
    /// The last alert.
    after: EventId,
    /// The gravest that was told.
    told: Severity,
    untold: u64,
    first: Duration,
    gravest: Severity,
}

impl Cell {
    pub(super) fn new(group: Group) -> Self {
        Self {
            group,
            is_other: false,
            counted: VecDeque::new(),
            quiet: None,
            records: VecDeque::new(),
        }
    }

    pub(super) fn of_others() -> Self {
        Self {
            is_other: true,
            ..Self::new(Group::new())
        }
    }

    /// Whether nothing is lost without it.
    pub(super) fn is_over(&self, now: Duration, limits: Limits) -> bool {
        let last = self.counted.back();
        self.quiet.is_none() && last.is_none_or(|last| last.now + limits.window <= now)
    }

    /// What is to be told now, and when quiet ends if it begins now.
    pub(super) fn count(&mut self, seen: Seen, limits: Limits) -> Option<(Sum, Option<Duration>)> {
        match self.quiet {
            Some(_) => self.count_quietly(seen).map(|sum| (sum, None)),
            None => {
                let ends = seen.now + limits.quiet;
                self.count_towards(seen, limits)
                    .map(|sum| (sum, Some(ends)))
            }
        }
    }

    fn count_towards(&mut self, seen: Seen, limits: Limits) -> Option<Sum> {
        let (now, at, severity) = (seen.now, seen.record.at, seen.severity);
        let is_past = |then: &Counted| then.now + limits.window <= now;
        while self.counted.front().is_some_and(is_past) {
            self.counted.pop_front();
        }
        while self.records.len() > self.counted.len() {
            self.records.pop_front();
        }
        self.counted.push_back(Counted { now, at, severity });
        self.note(seen.record);
        if self.counted.len() < limits.count {
            return None;
        }
        let counted = mem::take(&mut self.counted);
        let gravest = counted.iter().map(|it| it.severity).max();
        let gravest = gravest.unwrap_or(severity);
        let id = EventId::made(at);
        self.quiet = Some(Quiet {
            after: id,
            told: gravest,
            untold: 0,
            first: at,
            gravest: Severity::Info,
        });
        let first = counted.front().map_or(at, |first| first.at);
        let sum = self.told(id, AlertKind::Raised, (first, at));
        Some(Sum {
            severity: gravest,
            count: counted.len() as u64,
            ..sum
        })
    }

    /// Quiet is for what is no worse than what was told.
    fn count_quietly(&mut self, seen: Seen) -> Option<Sum> {
        let quiet = self.quiet.as_mut()?;
        if quiet.untold == 0 {
            quiet.first = seen.record.at;
        }
        quiet.untold += 1;
        quiet.gravest = quiet.gravest.max(seen.severity);
        let is_graver = seen.severity > quiet.told;
        self.note(seen.record);
        if is_graver {
            self.tell_untold(AlertKind::Raised)
        } else {
            None
        }
    }

    /// What came meanwhile, and when the next quiet ends; `None` if nothing did, and the cell is over.
    pub(super) fn end_quiet(&mut self, now: Duration, limits: Limits) -> Option<(Sum, Duration)> {
        let ends = now.saturating_add(limits.quiet);
        self.tell_untold(AlertKind::Repeated).map(|sum| (sum, ends))
    }

    fn tell_untold(&mut self, kind: AlertKind) -> Option<Sum> {
        let quiet = self.quiet.as_mut().filter(|quiet| quiet.untold > 0)?;
        let last = self.records.back().map_or(quiet.first, |last| last.at);
        let (id, first) = (EventId::made(last), quiet.first);
        let after = mem::replace(&mut quiet.after, id);
        let count = mem::take(&mut quiet.untold);
        let severity = mem::replace(&mut quiet.gravest, Severity::Info);
        quiet.told = quiet.told.max(severity);
        let sum = self.told(id, kind, (first, last));
        Some(Sum {
            after: Some(after),
            severity,
            count,
            ..sum
        })
    }

    fn note(&mut self, record: RecordRef) {
        if self.records.len() == Alert::MOST_RECORDS {
            self.records.pop_front();
        }
        self.records.push_back(record);
    }

    fn told(&mut self, id: EventId, kind: AlertKind, (first, last): (Duration, Duration)) -> Sum {
        Sum {
            id,
            after: None,
            kind,
            severity: Severity::Info,
            group: self.group.clone(),
            is_other: self.is_other,
            count: 0,
            first,
            last,
            records: mem::take(&mut self.records).into(),
        }
    }
}

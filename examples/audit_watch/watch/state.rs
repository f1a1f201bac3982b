//! What was seen so far, inside bounds.

use std::collections::VecDeque;

use bartizan::audit::Severity;

use super::{
    counts::Counts,
    filter::Filter,
    record::Record,
    row::{Kind, Row},
    tail::Seen,
};

/// Lines that are kept, to be scrolled back to.
const MOST_ROWS: usize = 5000;

/// Anomalies and alerts that are kept besides.
const MOST_FINDINGS: usize = 50;

#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) filter: Filter,
    pub(crate) counts: Counts,
    /// Of any severity, the oldest first.
    pub(crate) rows: VecDeque<Row>,
    /// The anomalies and alerts among them, and those from before.
    pub(crate) findings: VecDeque<Row>,
    taken: u64,
}

impl Watch {
    pub(crate) fn new(filter: Filter) -> Self {
        Self {
            filter,
            counts: Counts::default(),
            rows: VecDeque::new(),
            findings: VecDeque::new(),
            taken: 0,
        }
    }

    /// Counts and keeps it; `None` if it was not asked for.
    pub(crate) fn take(&mut self, seen: Seen<'_>) -> Option<&Row> {
        let record = match seen {
            Seen::Line(line) => Record::of(line),
            _ => None,
        };
        let row = match &record {
            Some(record) if !self.filter.admits(record) => return None,
            Some(record) => {
                self.counts.take(record);
                Row::of(record)
            }
            None => {
                self.counts.take_bad(seen);
                Row::of_log(seen)
            }
        };
        self.keep(row)
    }

    /// The newest of what is shown from this severity on, up to the one of this number, the oldest first.
    pub(crate) fn shown(&self, least: Severity, up_to: u64, most: usize) -> Vec<&Row> {
        let rows = self.rows.iter().rev();
        let rows = rows.filter(|row| row.number <= up_to && row.is_from(least));
        let mut rows: Vec<_> = rows.take(most).collect();
        rows.reverse();
        rows
    }

    fn keep(&mut self, mut row: Row) -> Option<&Row> {
        self.taken += 1;
        row.number = self.taken;
        if row.kind == Kind::Finding {
            push(&mut self.findings, row.clone(), MOST_FINDINGS);
        }
        push(&mut self.rows, row, MOST_ROWS);
        self.rows.back()
    }
}

fn push(rows: &mut VecDeque<Row>, row: Row, most: usize) {
    if rows.len() >= most {
        rows.pop_front();
    }
    rows.push_back(row);
}

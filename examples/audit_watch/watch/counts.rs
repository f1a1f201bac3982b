//! How many there were, of each sort.

use bartizan::audit::Severity;

use super::{record::Record, tail::Seen};

/// Outcomes as records name them; what else there is counts as the last.
pub(super) const OUTCOMES: [&str; 6] = [
    "admitted",
    "refused",
    "failed",
    "panicked",
    "aborted",
    "no outcome",
];

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) records: u64,
    pub(crate) outcomes: [u64; OUTCOMES.len()],
    pub(crate) severities: [u64; Severity::ALL.len()],
    pub(crate) anomalies: u64,
    pub(crate) alerts: u64,
    pub(crate) checkpoints: u64,
    /// Records that say how many are missing, and how many they say.
    pub(crate) gaps: u64,
    pub(crate) missing: u64,
    /// Lines that are no records: not JSON, too long, torn.
    pub(crate) bad: u64,
    /// How often the file was cut, or another took its place.
    pub(crate) replaced: u64,
    pub(crate) denials: Denials,
    /// The timestamps of the oldest and the newest, in seconds since 1970.
    pub(crate) span: Option<(i64, i64)>,
}

impl Counts {
    pub(super) fn take(&mut self, record: &Record) {
        match record.event_type() {
            "audit_checkpoint" => {
                self.checkpoints += 1;
                return;
            }
            "audit_gap" => {
                self.gaps += 1;
                for kind in ["refused", "passed", "folded"] {
                    let missing = record.number(&format!("metadata.missing_{kind}"));
                    self.missing = self.missing.saturating_add(missing.unwrap_or_default());
                }
            }
            "anomaly" => self.anomalies += 1,
            "alert" => self.alerts += 1,
            _ => {}
        }
        self.records += 1;
        let outcome = record.text("outcome");
        let place = OUTCOMES.iter().position(|known| Some(*known) == outcome);
        add(&mut self.outcomes, place.unwrap_or(OUTCOMES.len() - 1));
        let severity = record.severity();
        let place = Severity::ALL
            .iter()
            .position(|known| Some(*known) == severity);
        if let Some(place) = place {
            add(&mut self.severities, place);
        }
        if let Some(at) = record.seconds() {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
            if outcome == Some("refused") {
                self.denials.take(at);
            }
        }
    }

    pub(super) fn take_bad(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Line(_) | Seen::TooLong(_) | Seen::Torn(_) => self.bad += 1,
            Seen::Cut | Seen::Replaced => self.replaced += 1,
            Seen::Absent | Seen::Rotated => {}
        }
    }
}

fn add(counts: &mut [u64], place: usize) {
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    }
}

/// Seconds of one part, and parts that are kept: half an hour.
const PART: i64 = 10;
const PARTS: usize = 180;
const MINUTE: usize = 6;

/// Denials of the last half hour.
#[derive(Debug)]
pub(crate) struct Denials {
    /// Which ten seconds of all time, and how many in them.
    parts: [(i64, u64); PARTS],
    /// The most within a minute, and its last second.
    pub(crate) peak: Option<(u64, i64)>,
}

impl Default for Denials {
    fn default() -> Self {
        Self {
            parts: [(i64::MIN, 0); PARTS],
            peak: None,
        }
    }
}

impl Denials {
    fn take(&mut self, at: i64) {
        let part = at.div_euclid(PART);
        let Some(slot) = self.parts.get_mut(slot(part)) else {
            return;
        };
        if slot.0 < part {
            *slot = (part, 0);
        } else if slot.0 > part {
            return;
        }
        slot.1 += 1;
        let count = self.minute(at);
        if self.peak.is_none_or(|(most, _)| count > most) {
            self.peak = Some((count, at));
        }
    }

    /// In the minute that ends then.
    pub(crate) fn minute(&self, at: i64) -> u64 {
        self.sum(at.div_euclid(PART), MINUTE)
    }

    /// In each of the last so many minutes, the oldest first.
    pub(crate) fn minutes(&self, at: i64, minutes: usize) -> Vec<u64> {
        let minutes = minutes.min(PARTS / MINUTE);
        let last = at.div_euclid(PART);
        let ends = (0..minutes)
            .rev()
            .filter_map(|ago| i64::try_from(ago * MINUTE).ok());
        ends.map(|ago| self.sum(last - ago, MINUTE)).collect()
    }

    fn sum(&self, last: i64, parts: usize) -> u64 {
        let parts = (0..parts).filter_map(|ago| last.checked_sub(i64::try_from(ago).ok()?));
        let counts = parts.map(|part| match self.parts.get(slot(part)) {
            Some((known, count)) if *known == part => *count,
            _ => 0,
        });
        counts.sum()
    }
}

fn slot(part: i64) -> usize {
    let parts = i64::try_from(PARTS).unwrap_or(1);
    usize::try_from(part.rem_euclid(parts)).unwrap_or_default()
}

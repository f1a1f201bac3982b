use std::time::Duration;

use bartizan_audit::Record;

use crate::bound::millis;

/// The time by the records: when each was made, and never earlier than one before it.
///
/// Records come in the order of their ends, not of their arrivals, and a clock may be set. One that says an earlier time
/// changes nothing, but if many in a row do so the clock was set back, and time goes on from there.
#[derive(Debug, Default)]
pub(crate) struct Time {
    now: u64,
    behind: u32,
}

/// More than records are apart that are made at once.
const ASKEW: u64 = 60_000;

/// So many in a row are no accident.
const MANY: u32 = 64;

impl Time {
    pub(crate) fn follow(&mut self, record: &Record<'_>) -> u64 {
        let took = record.duration.or(record.latency).unwrap_or_default();
        self.follow_to(record.timestamp.saturating_add(took))
    }

    fn follow_to(&mut self, made: Duration) -> u64 {
        let made = millis(made);
        if self.now.saturating_sub(made) <= ASKEW {
            self.behind = 0;
            self.now = self.now.max(made);
            return self.now;
        }
        self.behind += 1;
        if self.behind >= MANY {
            *self = Self {
                now: made,
                behind: 0,
            };
        }
        self.now
    }

    #[cfg(test)]
    pub(crate) fn at_least(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_late_does_not_turn_time_back_and_a_clock_that_is_set_back_does() {
        let mut time = Time::default();
        let mut at = |seconds| time.follow_to(Duration::from_secs(seconds));
        assert_eq!(at(10_000), 10_000_000);
        for late in [9_999, 9_000, 1, 10_000] {
            assert_eq!(at(late), 10_000_000, "{late}");
        }
        for _ in 1..MANY {
            assert_eq!(at(5_000), 10_000_000);
        }
        assert_eq!(at(5_000), 5_000_000);
        assert_eq!(at(5_001), 5_001_000);
    }
}

use std::{ops::RangeInclusive, time::Duration};

use crate::DetectConfigError;

/// So many within so long a time: what reaches it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a bound is these two")]
pub struct Bound {
    /// How many.
    pub count: u32,
    /// Within which time: a second to a day.
    pub window: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Bound {
    /// A count within a time.
    pub const fn new(count: u32, window: Duration) -> Self {
        Self { count, window }
    }

    pub(crate) const fn minutes(count: u32, minutes: u64) -> Self {
        Self::new(count, Duration::from_secs(minutes * 60))
    }

    /// The same, if its count is in this range, which the problem says.
    pub(crate) fn checked(
        self,
        setting: &'static str,
        counts: RangeInclusive<u32>,
        problem: &'static str,
    ) -> Result<Self, DetectConfigError> {
        if !counts.contains(&self.count) {
            return Err(DetectConfigError::new(setting, self.count, problem));
        }
        checked_window(setting, self.window)?;
        Ok(self)
    }

    pub(crate) fn millis(&self) -> u64 {
        millis(self.window)
    }
}

pub(crate) fn checked_window(
    setting: &'static str,
    window: Duration,
) -> Result<(), DetectConfigError> {
    if (Duration::from_secs(1)..=DAY).contains(&window) {
        return Ok(());
    }
    let problem = "is no window of a second to a day";
    Err(DetectConfigError::new(
        setting,
        format!("{window:?}"),
        problem,
    ))
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

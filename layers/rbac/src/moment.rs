//! Ends that a clock which is set back does not put off.

use std::time::Duration;

use bartizan_core::Clock;

/// What both clocks show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) wall: Duration,
    monotonic: Duration,
}

impl Now {
    pub(crate) fn of(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.wall(),
            monotonic: clock.monotonic(),
        }
    }
}

/// A time of the wall clock, and when that is by the monotonic one as far as was known when it was set.
///
/// The wall clock steps, and the monotonic clock may stand still while a machine sleeps. What ends does so
/// by whichever comes first, and what begins by whichever comes last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: Duration,
    monotonic: Duration,
}

impl Moment {
    /// Has come.
    pub(crate) const PAST: Self = Self {
        wall: Duration::ZERO,
        monotonic: Duration::ZERO,
    };

    /// Never comes.
    pub(crate) const NEVER: Self = Self {
        wall: Duration::MAX,
        monotonic: Duration::MAX,
    };

    pub(crate) fn at(wall: Duration, now: &Now) -> Self {
        let ahead = wall.saturating_sub(now.wall);
        Self {
            wall,
            monotonic: now.monotonic.saturating_add(ahead),
        }
    }

    pub(crate) fn after(wait: Duration, now: &Now) -> Self {
        Self::at(now.wall.saturating_add(wait), now)
    }

    /// By either clock: for an end.
    pub(crate) fn has_come(&self, now: &Now) -> bool {
        self.wall <= now.wall || self.monotonic <= now.monotonic
    }

    /// By both clocks: for a beginning.
    pub(crate) fn has_surely_come(&self, now: &Now) -> bool {
        self.wall <= now.wall && self.monotonic <= now.monotonic
    }

    /// What is left, at most.
    pub(crate) fn left(&self, now: &Now) -> Duration {
        let wall = self.wall.saturating_sub(now.wall);
        wall.min(self.monotonic.saturating_sub(now.monotonic))
    }

    /// A moment that comes when the first of both does.
    pub(crate) fn earlier(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            monotonic: self.monotonic.min(other.monotonic),
        }
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::FakeClock;

    use super::*;

    const START: Duration = Duration::from_secs(1_800_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_wall_clock_that_is_set_back_puts_no_end_off_and_none_that_is_set_forward_begins_anything()
    {
        let clock = FakeClock::at(START);
        let now = || Now::of(&clock);
        let moment = Moment::after(MINUTE, &now());
        assert!(!moment.has_come(&now()) && !moment.has_surely_come(&now()));
        clock.step_wall_to(START + MINUTE);
        assert!(moment.has_come(&now()) && !moment.has_surely_come(&now()));
        clock.step_wall_to(START - 10 * MINUTE);
        assert!(!moment.has_come(&now()));
        assert_eq!(moment.left(&now()), MINUTE);
        clock.advance(MINUTE);
        assert!(moment.has_come(&now()) && !moment.has_surely_come(&now()));
        clock.advance(10 * MINUTE);
        assert!(moment.has_surely_come(&now()));
    }
}

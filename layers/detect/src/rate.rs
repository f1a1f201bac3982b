use std::time::Duration;

use crate::{DetectConfigError, bound::checked_window, span::Span};

/// When a rate is unlike its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateBound {
    /// Fewer are never told.
    pub(crate) least: u32,
    /// So many times the mean are.
    pub(crate) times: u32,
    pub(crate) window: Duration,
    /// Windows with requests that there must have been.
    pub(crate) history: u32,
}

impl RateBound {
    pub(crate) const USUAL: Self = Self {
        least: 60,
        times: 5,
        window: Duration::from_secs(60),
        history: 10,
    };

    /// Of all that is refused.
    pub(crate) const SURGE: Self = Self {
        least: 100,
        ..Self::USUAL
    };

    /// The same, if its numbers are in their ranges; by their names in errors.
    pub(crate) fn checked(self, names: [&'static str; 4]) -> Result<Self, DetectConfigError> {
        let [least, times, history, window] = names;
        let error = |setting, value, problem| Err(DetectConfigError::new(setting, value, problem));
        if !(1..=1_000_000).contains(&self.least) {
            return error(least, self.least, "is not from 1 to 1000000");
        }
        if !(2..=100).contains(&self.times) {
            return error(times, self.times, "is not from 2 to 100");
        }
        if !(2..=1000).contains(&self.history) {
            return error(history, self.history, "is not from 2 to 1000");
        }
        checked_window(window, self.window)?;
        Ok(self)
    }
}

/// How much an account asks in each window, and how much it used to: the exponentially weighted mean of the windows in
/// which it asked at all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    pub(crate) span: Span,
    value: u32,
    pub(crate) windows: u32,
    pub(crate) mean: f32,
}

/// How many windows the mean remembers, roughly.
const MEMORY: u32 = 32;

impl Rate {
    /// Counts one more, and tells how many there are.
    pub(crate) fn add(&mut self, now: u64, window: u64, bound: &RateBound) -> u32 {
        if self.span.rolls(now, window) {
            self.learn(bound);
            self.value = 0;
        }
        self.value = self.value.saturating_add(1);
        self.value
    }

    /// A burst is learnt as no more than what would not have been told.
    #[expect(clippy::cast_precision_loss, reason = "of a mean")]
    fn learn(&mut self, bound: &RateBound) {
        if self.value == 0 {
            return;
        }
        let most = self.limit(bound).unwrap_or(u32::MAX);
        self.windows = self.windows.saturating_add(1);
        let weight = 1.0 / self.windows.min(MEMORY) as f32;
        self.mean += (self.value.min(most) as f32 - self.mean) * weight;
    }

    /// From how many on it is unusual; `None` while little is known.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "of a mean"
    )]
    pub(crate) fn limit(&self, bound: &RateBound) -> Option<u32> {
        let is_known = self.windows >= bound.history;
        is_known.then(|| {
            bound
                .least
                .max((self.mean * bound.times as f32).ceil() as u32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_not_learnt_as_usual() {
        let bound = RateBound::USUAL;
        let mut rate = Rate::default();
        let mut minute = |number: u64, requests| {
            for _ in 0..requests {
                rate.add(1 + number * 60_000, 60_000, &bound);
            }
            rate.mean
        };
        for number in 0..20 {
            minute(number, 20);
        }
        minute(20, 100_000);
        let mean = minute(21, 1);
        assert!((20.0..30.0).contains(&mean), "{mean}");
    }
}

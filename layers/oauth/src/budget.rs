use std::time::Duration;

/// How many questions about tokens that were never good may be asked: whoever makes tokens up spends
/// this, and not what the provider permits altogether.
///
/// It fills at an even rate, and holds what comes in ten minutes.
#[derive(Debug)]
pub(crate) struct Budget {
    interval: Duration,
    /// When it will be full again, by the monotonic clock.
    full_at: Duration,
    was_spent: bool,
}

const HOLDS: Duration = Duration::from_secs(600);

impl Budget {
    /// So many questions in a minute, at least one.
    pub(crate) fn per_minute(questions: u32) -> Self {
        Self {
            interval: Duration::from_secs(60) / questions.max(1),
            full_at: Duration::ZERO,
            was_spent: false,
        }
    }

    /// Whether there is one left at the monotonic time `now`; otherwise when to come back, and whether
    /// this is news.
    pub(crate) fn check(&mut self, now: Duration) -> Result<(), (Duration, bool)> {
        let owed = self.full_at.saturating_sub(now);
        let wait = owed.saturating_add(self.interval).saturating_sub(HOLDS);
        if wait.is_zero() {
            return Ok(());
        }
        Err((wait, !std::mem::replace(&mut self.was_spent, true)))
    }

    /// Takes one.
    pub(crate) fn take(&mut self, now: Duration) {
        self.full_at = self.full_at.max(now).saturating_add(self.interval);
        // Spent again a moment later is no news.
        self.was_spent &= self.full_at.saturating_sub(now) > HOLDS / 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn spend(budget: &mut Budget, now: Duration) -> usize {
        let mut spent = 0;
        while budget.check(now).is_ok() {
            budget.take(now);
            spent += 1;
        }
        spent
    }

    #[test]
    fn it_holds_ten_minutes_worth_and_fills_evenly() {
        let mut budget = Budget::per_minute(30);
        assert_eq!(spend(&mut budget, S(7)), 300);
        assert_eq!(budget.check(S(7)).unwrap_err().0, S(2));
        assert_eq!(spend(&mut budget, S(9)), 1);
        assert_eq!(spend(&mut budget, S(69)), 30);
        assert_eq!(spend(&mut budget, S(7000)), 300);
    }

    #[test]
    fn that_it_is_spent_is_news_until_it_recovers() {
        let mut budget = Budget::per_minute(30);
        for _ in 0..300 {
            assert_eq!(budget.check(S(0)), Ok(()));
            budget.take(S(0));
        }
        assert_eq!(budget.check(S(0)), Err((S(2), true)));
        assert_eq!(budget.check(S(1)), Err((S(1), false)));
        budget.take(S(2));
        assert_eq!(budget.check(S(2)), Err((S(2), false)));
        budget.take(S(400));
        while budget.check(S(400)).is_ok() {
            budget.take(S(400));
        }
        assert!(budget.was_spent, "by the loop's last check");
        budget.take(S(2000));
        assert!(!budget.was_spent);
    }
}

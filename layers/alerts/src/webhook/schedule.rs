use std::time::Duration;

/// How often an alert is tried, and what lies between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) attempts: u32,
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Schedule {
    /// Ten attempts in about four minutes, if each is refused at once.
    pub(super) const DEFAULT: Self = Self {
        attempts: 10,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
    };

    /// A receiver that wants to be left alone for longer is asked then.
    pub(super) const LONGEST_WISH: Duration = Duration::from_secs(300);

    /// What lies between the attempts, one after the other.
    pub(super) fn pauses(self) -> impl Iterator<Item = Duration> {
        (0..self.attempts.saturating_sub(1)).map(move |nth| {
            let doubled = self.first.saturating_mul(1 << nth.min(20));
            let pause = doubled.min(self.longest);
            // Half of it, and of the other half as much as chance has it: who failed together does not come back together.
            pause / 2 + pause.mul_f64(fastrand::f64() / 2.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_half_of_each_is_chance() {
        let pauses: Vec<_> = Schedule::DEFAULT.pauses().collect();
        assert_eq!(pauses.len(), 9);
        for (nth, pause) in pauses.iter().enumerate() {
            let whole = Duration::from_secs(1 << nth).min(Duration::from_secs(60));
            assert!((whole / 2..=whole).contains(pause), "{nth}: {pause:?}");
        }
        let again: Vec<_> = Schedule::DEFAULT.pauses().collect();
        assert_ne!(pauses, again);
        let once = Schedule {
            attempts: 1,
            ..Schedule::DEFAULT
        };
        assert_eq!(once.pauses().count(), 0);
        let many = Schedule {
            attempts: 100,
            ..Schedule::DEFAULT
        };
        assert!(many.pauses().all(|pause| pause <= Duration::from_secs(60)));
    }
}

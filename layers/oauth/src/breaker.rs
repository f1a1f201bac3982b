use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Keeps requests from a provider that does not answer: each would wait for the time limit, and the
/// provider would recover under all of them at once.
///
/// After some failures in a row it opens. When its time is over one request tries, and what becomes of
/// it decides.
#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    cool_down: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Duration>,
    is_trying: bool,
}

/// What a failure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    FirstFailure,
    Opened(Duration),
    None,
}

/// While one request tries, others come back so soon.
const SHORTLY: Duration = Duration::from_secs(1);

/// A provider decides no longer time than this.
const LONGEST: Duration = Duration::from_secs(300);

impl Breaker {
    pub(crate) fn new(threshold: u32, cool_down: Duration) -> Self {
        Self {
            threshold,
            cool_down,
            state: Mutex::default(),
        }
    }

    /// Whether the provider may be asked at the monotonic time `now`; when to come back otherwise.
    /// Who may tells [`succeeded`](Self::succeeded) or [`failed`](Self::failed).
    pub(crate) fn permit(&self, now: Duration) -> Result<(), Duration> {
        let mut state = self.state();
        match state.open_until {
            None => Ok(()),
            Some(until) if now < until => Err(until.saturating_sub(now)),
            Some(_) if state.is_trying => Err(SHORTLY),
            Some(_) => {
                state.is_trying = true;
                Ok(())
            }
        }
    }

    /// The provider answered; whether that is news.
    pub(crate) fn succeeded(&self) -> bool {
        let before = std::mem::take(&mut *self.state());
        before.failures > 0
    }

    /// It did not, and perhaps said when it will.
    pub(crate) fn failed(&self, now: Duration, wish: Option<Duration>) -> Change {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        state.is_trying = false;
        if state.failures < self.threshold && wish.is_none() {
            return if state.failures == 1 {
                Change::FirstFailure
            } else {
                Change::None
            };
        }
        let pause = wish.map_or(self.cool_down, |wish| {
            wish.clamp(self.cool_down, self.cool_down.max(LONGEST))
        });
        let was_open = state.open_until.is_some_and(|until| now < until);
        let until = now.saturating_add(pause);
        state.open_until = state.open_until.max(Some(until));
        if was_open {
            Change::None
        } else {
            Change::Opened(pause)
        }
    }

    /// What became of a question tells nothing of the provider: another one may try.
    pub(crate) fn passed_over(&self) {
        self.state().is_trying = false;
    }

    /// How long an answer 503 asks to wait if nothing else is known.
    pub(crate) fn pause(&self) -> Duration {
        self.cool_down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn it_opens_after_some_failures_in_a_row_and_lets_one_try() {
        let breaker = Breaker::new(3, S(10));
        assert_eq!(breaker.failed(S(0), None), Change::FirstFailure);
        assert_eq!(breaker.failed(S(0), None), Change::None);
        assert!(breaker.succeeded());
        assert!(!breaker.succeeded());
        for expected in [Change::FirstFailure, Change::None, Change::Opened(S(10))] {
            assert_eq!(breaker.permit(S(5)), Ok(()));
            assert_eq!(breaker.failed(S(5), None), expected);
        }
        assert_eq!(breaker.permit(S(6)), Err(S(9)));
        assert_eq!(breaker.permit(S(15)), Ok(()));
        assert_eq!(breaker.permit(S(15)), Err(SHORTLY));
        assert_eq!(breaker.failed(S(16), None), Change::Opened(S(10)));
        assert_eq!(breaker.permit(S(25)), Err(S(1)));
        assert_eq!(breaker.permit(S(26)), Ok(()));
        assert!(breaker.succeeded());
        assert_eq!(breaker.permit(S(26)), Ok(()));
        assert_eq!(breaker.permit(S(26)), Ok(()));
    }

    #[test]
    fn a_providers_wish_opens_it_at_once_within_bounds() {
        for (wish, pause) in [(1, 10), (60, 60), (86_400, 300)] {
            let breaker = Breaker::new(3, S(10));
            assert_eq!(
                breaker.failed(S(0), Some(S(wish))),
                Change::Opened(S(pause))
            );
            assert_eq!(breaker.permit(S(0)), Err(S(pause)));
        }
    }

    #[test]
    fn a_late_failure_of_before_does_not_shorten_the_pause() {
        let breaker = Breaker::new(1, S(10));
        assert_eq!(breaker.failed(S(0), Some(S(100))), Change::Opened(S(100)));
        assert_eq!(breaker.failed(S(1), None), Change::None);
        assert_eq!(breaker.permit(S(50)), Err(S(50)));
    }
}

//! Keeping away from what does not answer.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Keeps requests from a provider that does not answer: each would wait for the time limit, and the
/// provider would recover under all of them at once.
///
/// After some failures in a row it opens. When its time is over one request tries, and what becomes of
/// it decides. A try that does not end is given up after a while, and another one begins.
///
/// ```
/// use std::time::Duration;
/// use bartizan_core::breaker::{Breaker, Change};
/// let second = Duration::from_secs(1);
/// let breaker = Breaker::new(1, 5 * second, second);
/// let permit = breaker.permit(second).unwrap();
/// assert_eq!(breaker.failed(permit, second, None), Change::Opened(5 * second));
/// assert_eq!(breaker.permit(2 * second), Err(4 * second));
/// let next = breaker.permit(6 * second).unwrap();
/// assert!(breaker.succeeded(next));
/// ```
#[derive(Debug)]
pub struct Breaker {
    threshold: u32,
    cool_down: Duration,
    /// How long a try may take.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Duration>,
    trying_until: Option<Duration>,
    /// Counts openings, tries and closings: results of before tell nothing of now.
    generation: u64,
    /// Whether it was told of these failures.
    is_told: bool,
    /// When it was told last of a first failure.
    told_at: Option<Duration>,
}

/// Permission to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit(u64);

/// What a failure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks has to tell each apart"
)]
pub enum Change {
    /// It failed for the first time in a row, which was not told for a minute.
    FirstFailure,
    /// It opened, for so long.
    Opened(Duration),
    /// Nothing that is worth telling.
    None,
}

/// While one request tries, others come back so soon.
const SHORTLY: Duration = Duration::from_secs(1);

const NEWS_EVERY: Duration = Duration::from_secs(60);

/// A provider decides no longer time than this.
pub const LONGEST: Duration = Duration::from_secs(300);

impl Breaker {
    /// One that opens after so many failures in a row for `cool_down`, and waits for a try as long as `patience`.
    pub fn new(threshold: u32, cool_down: Duration, patience: Duration) -> Self {
        Self {
            threshold,
            cool_down,
            patience,
            state: Mutex::default(),
        }
    }

    /// Whether the provider may be asked at the monotonic time `now`; when to come back otherwise.
    /// Who may tells what became of it: [`succeeded`](Self::succeeded), [`failed`](Self::failed) or
    /// [`passed_over`](Self::passed_over).
    pub fn permit(&self, now: Duration) -> Result<Permit, Duration> {
        let mut state = self.state();
        match (state.open_until, state.trying_until) {
            (None, _) => {}
            (Some(until), _) if now < until => return Err(until.saturating_sub(now)),
            (Some(_), Some(until)) if now < until => return Err(SHORTLY),
            (Some(_), _) => {
                state.trying_until = Some(now.saturating_add(self.patience));
                state.generation = state.generation.wrapping_add(1);
            }
        }
        Ok(Permit(state.generation))
    }

    /// As [`permit`](Self::permit) for who has not to tell, and so never is the one that tries.
    pub fn glance(&self, now: Duration) -> Result<Permit, Duration> {
        let state = self.state();
        match state.open_until {
            Some(until) if now < until => Err(until.saturating_sub(now)),
            _ => Ok(Permit(state.generation)),
        }
    }

    /// The provider answered; whether that is news.
    pub fn succeeded(&self, permit: Permit) -> bool {
        let mut state = self.state();
        if permit.0 != state.generation {
            return false;
        }
        let is_news = state.is_told;
        let was_open = state.open_until.is_some();
        *state = State {
            generation: state.generation.wrapping_add(u64::from(was_open)),
            told_at: state.told_at,
            ..State::default()
        };
        is_news
    }

    /// It did not, and perhaps said when it will.
    pub fn failed(&self, permit: Permit, now: Duration, wish: Option<Duration>) -> Change {
        self.fail(permit, now, wish, Duration::ZERO)
    }

    /// It did not answer. The pause is longer by so much, which whoever asks chooses at random: of many
    /// processes that wait for one provider, not all try at once.
    pub fn failed_with_jitter(&self, permit: Permit, now: Duration, jitter: Duration) -> Change {
        self.fail(permit, now, None, jitter)
    }

    fn fail(
        &self,
        permit: Permit,
        now: Duration,
        wish: Option<Duration>,
        jitter: Duration,
    ) -> Change {
        let mut state = self.state();
        if permit.0 != state.generation {
            return Change::None;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures < self.threshold && wish.is_none() {
            return state.tell_first(now);
        }
        let pause = wish.map_or(self.cool_down, |wish| {
            wish.clamp(self.cool_down, self.cool_down.max(LONGEST))
        });
        let pause = pause.saturating_add(jitter);
        state.is_told = true;
        state.trying_until = None;
        state.open_until = Some(now.saturating_add(pause));
        state.generation = state.generation.wrapping_add(1);
        Change::Opened(pause)
    }

    /// What became of a question tells nothing of the provider: another one may try.
    pub fn passed_over(&self, permit: Permit) {
        let mut state = self.state();
        if permit.0 == state.generation {
            state.trying_until = None;
        }
    }

    /// How long an answer 503 asks to wait if nothing else is known.
    pub fn pause(&self) -> Duration {
        self.cool_down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// That it failed once is news once in a while, however often it does so between successes.
    fn tell_first(&mut self, now: Duration) -> Change {
        let until = self.told_at.map(|at| at.saturating_add(NEWS_EVERY));
        if self.failures > 1 || until.is_some_and(|until| now < until) {
            return Change::None;
        }
        self.is_told = true;
        self.told_at = Some(now);
        Change::FirstFailure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn breaker(threshold: u32) -> Breaker {
        Breaker::new(threshold, S(10), S(6))
    }

    #[test]
    fn it_opens_after_some_failures_in_a_row_and_lets_one_try() {
        let breaker = breaker(3);
        let permit = || breaker.permit(S(0)).unwrap();
        assert_eq!(breaker.failed(permit(), S(0), None), Change::FirstFailure);
        assert_eq!(breaker.failed(permit(), S(0), None), Change::None);
        assert!(breaker.succeeded(permit()));
        assert!(!breaker.succeeded(permit()));
        // It was told of the first a moment ago.
        for expected in [Change::None, Change::None, Change::Opened(S(10))] {
            let permit = breaker.permit(S(5)).unwrap();
            assert_eq!(breaker.failed(permit, S(5), None), expected);
        }
        assert_eq!(breaker.permit(S(6)), Err(S(9)));
        let first = breaker.permit(S(15)).unwrap();
        assert_eq!(breaker.permit(S(15)), Err(SHORTLY));
        assert_eq!(breaker.failed(first, S(16), None), Change::Opened(S(10)));
        assert_eq!(breaker.permit(S(25)), Err(S(1)));
        let second = breaker.permit(S(26)).unwrap();
        assert!(breaker.succeeded(second));
        assert!(breaker.permit(S(26)).is_ok());
        assert!(breaker.permit(S(26)).is_ok());
    }

    #[test]
    fn a_providers_wish_opens_it_at_once_within_bounds() {
        for (wish, pause) in [(1, 10), (60, 60), (86_400, 300)] {
            let breaker = breaker(3);
            let permit = breaker.permit(S(0)).unwrap();
            let change = breaker.failed(permit, S(0), Some(S(wish)));
            assert_eq!(change, Change::Opened(S(pause)));
            assert_eq!(breaker.permit(S(0)), Err(S(pause)));
        }
    }

    #[test]
    fn jitter_makes_the_pause_longer_and_opens_nothing_earlier() {
        let breaker = breaker(2);
        let permit = || breaker.permit(S(0)).unwrap();
        let failed = |permit| breaker.failed_with_jitter(permit, S(0), S(3));
        assert_eq!(failed(permit()), Change::FirstFailure);
        assert_eq!(failed(permit()), Change::Opened(S(13)));
        assert_eq!(breaker.permit(S(12)), Err(S(1)));
    }

    #[test]
    fn a_try_that_does_not_end_is_given_up() {
        let breaker = breaker(1);
        let permit = breaker.permit(S(0)).unwrap();
        breaker.failed(permit, S(0), None);
        let stuck = breaker.permit(S(10)).unwrap();
        assert_eq!(breaker.permit(S(15)), Err(SHORTLY));
        let next = breaker.permit(S(16)).unwrap();
        // The stuck one comes back after all.
        assert_eq!(breaker.failed(stuck, S(17), Some(S(300))), Change::None);
        breaker.passed_over(stuck);
        assert_eq!(breaker.permit(S(17)), Err(SHORTLY));
        assert!(breaker.succeeded(next));
        assert!(breaker.permit(S(17)).is_ok());
    }

    #[test]
    fn results_of_before_it_opened_change_nothing() {
        let breaker = breaker(2);
        let [a, b, late, lucky] = [(); 4].map(|()| breaker.permit(S(0)).unwrap());
        breaker.failed(a, S(0), None);
        assert_eq!(breaker.failed(b, S(0), None), Change::Opened(S(10)));
        assert_eq!(breaker.failed(late, S(9), None), Change::None);
        assert!(!breaker.succeeded(lucky));
        assert_eq!(breaker.permit(S(9)), Err(S(1)));
        let new = breaker.permit(S(10)).unwrap();
        assert!(breaker.succeeded(new));
        // Nor does one of before it closed open it.
        breaker.failed(late, S(11), Some(S(100)));
        assert!(breaker.permit(S(11)).is_ok());
    }
}

use std::time::Duration;

use bartizan_core::breaker::{Breaker, Change, Permit};

use crate::lookup::Trouble;

/// Two breakers: what comes of made-up tokens must not keep the provider from those that were good.
///
/// A token that was good asks and counts by the first alone. One that never was needs both, and its
/// failures count only in the second: it may be the token that makes the provider fail.
#[derive(Debug)]
pub(crate) struct Breakers {
    known: Breaker,
    strangers: Breaker,
}

/// Permission to ask about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permission {
    known: Permit,
    /// Of a token that was never good.
    stranger: Option<Permit>,
}

impl Permission {
    pub(crate) fn is_strangers(self) -> bool {
        self.stranger.is_some()
    }
}

impl Breakers {
    pub(crate) fn new(threshold: u32, cool_down: Duration, patience: Duration) -> Self {
        let breaker = || Breaker::new(threshold, cool_down, patience);
        Self {
            known: breaker(),
            strangers: breaker(),
        }
    }

    /// Whether the provider may be asked at the monotonic time `now`; when to come back otherwise.
    pub(crate) fn permit(&self, now: Duration, is_known: bool) -> Result<Permission, Duration> {
        if is_known {
            let known = self.known.permit(now)?;
            return Ok(Permission {
                known,
                stranger: None,
            });
        }
        // The one try after a pause is not for strangers, who could make it last.
        let known = self.known.glance(now)?;
        let stranger = Some(self.strangers.permit(now)?);
        Ok(Permission { known, stranger })
    }

    /// The provider answered, as it does for all; whether that is news.
    pub(crate) fn succeeded(&self, permission: Permission) -> bool {
        let known = self.known.succeeded(permission.known);
        let stranger = permission.stranger;
        let strangers = stranger.is_some_and(|permit| self.strangers.succeeded(permit));
        known || strangers
    }

    /// It did not, and perhaps said when it will. Over the token of a stranger that is believed only of
    /// a limit that this server has spent: a single token must not shut out all strangers for minutes.
    pub(crate) fn failed(
        &self,
        permission: Permission,
        now: Duration,
        trouble: &Trouble,
    ) -> Change {
        let wish = trouble.retry_after;
        match permission.stranger {
            Some(permit) => {
                let wish = wish.filter(|_| trouble.is_limit);
                self.strangers.failed(permit, now, wish)
            }
            None => self.known.failed(permission.known, now, wish),
        }
    }

    /// What became of a question tells nothing of the provider: another one may try.
    pub(crate) fn passed_over(&self, permission: Permission) {
        match permission.stranger {
            Some(permit) => self.strangers.passed_over(permit),
            None => self.known.passed_over(permission.known),
        }
    }

    /// How long an answer 503 asks to wait if nothing else is known.
    pub(crate) fn pause(&self) -> Duration {
        self.known.pause()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn fail(breakers: &Breakers, now: Duration, is_known: bool) -> usize {
        let mut failed = 0;
        while let Ok(permission) = breakers.permit(now, is_known) {
            breakers.failed(permission, now, &Trouble::new("down"));
            failed += 1;
        }
        failed
    }

    #[test]
    fn failures_of_strangers_stop_strangers_alone_and_those_of_the_known_all() {
        let breakers = Breakers::new(3, S(10), S(6));
        assert_eq!(fail(&breakers, S(0), false), 3);
        assert_eq!(fail(&breakers, S(0), true), 3);
        let breakers = Breakers::new(3, S(10), S(6));
        assert_eq!(fail(&breakers, S(0), true), 3);
        assert_eq!(fail(&breakers, S(0), false), 0);
    }

    #[test]
    fn a_stranger_does_not_take_the_try_of_the_known_and_its_success_closes_both() {
        let breakers = Breakers::new(1, S(10), S(6));
        assert_eq!(fail(&breakers, S(0), false), 1);
        assert_eq!(fail(&breakers, S(0), true), 1);
        let stranger = breakers.permit(S(10), false).unwrap();
        assert!(breakers.permit(S(10), false).is_err());
        let known = breakers.permit(S(10), true).unwrap();
        breakers.passed_over(known);
        breakers.passed_over(stranger);
        let stranger = breakers.permit(S(11), false).unwrap();
        assert!(breakers.succeeded(stranger));
        for is_known in [true, true, false, false] {
            assert!(breakers.permit(S(11), is_known).is_ok());
        }
    }
}

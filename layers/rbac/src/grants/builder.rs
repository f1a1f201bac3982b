use std::{sync::Arc, time::Duration};

use bartizan_core::{Clock, Events, SystemClock};

use super::{Grants, held::MOST_AHEAD};
use crate::RbacConfigError;

/// Builds [`Grants`].
#[derive(Debug, Clone)]
#[must_use]
pub struct GrantsBuilder {
    pub(super) at_most: Duration,
    pub(super) room: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: Events,
}

impl GrantsBuilder {
    /// How long one may last; 8 hours by default.
    pub fn at_most(mut self, time: Duration) -> Self {
        self.at_most = time;
        self
    }

    /// How many there may be at a time, those that have not begun included; 1,024 by default.
    pub fn room(mut self, grants: usize) -> Self {
        self.room = grants;
        self
    }

    /// By which clock they begin and end; the system's by default.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Reports `grant_given`, `grant_revoked` and `grant_ended`. No timer runs: that one has ended is
    /// told with the next decision about anybody, or call of a method of [`Grants`].
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// If grants may last no time or longer than 30 days, or there may be none or more than 65,536.
    pub fn build(self) -> Result<Grants, RbacConfigError> {
        if self.at_most.is_zero() || self.at_most > MOST_AHEAD {
            let value = self.at_most.as_secs().to_string();
            let problem = "seconds are none, or more than 30 days";
            return Err(RbacConfigError::new("at most", &value, problem));
        }
        if !(1..=65_536).contains(&self.room) {
            let problem = "is not within 1 to 65536";
            return Err(RbacConfigError::new(
                "room",
                &self.room.to_string(),
                problem,
            ));
        }
        Ok(Grants::of(self))
    }
}

impl Default for GrantsBuilder {
    fn default() -> Self {
        Self {
            at_most: Duration::from_secs(8 * 3600),
            room: 1024,
            clock: Arc::new(SystemClock::new()),
            events: Events::default(),
        }
    }
}

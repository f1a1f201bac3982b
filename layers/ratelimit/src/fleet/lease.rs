use crate::{Quota, asked::Ask};

/// One key, be it leased or only watched. Times are of this process, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Lease {
    left: u32,
    /// Nothing is worth anything from then on.
    full_at: u64,
    /// The same by Redis's clock, in microseconds.
    pub(super) server_full_at: u64,
    pub(super) interval: u64,
    /// So many were granted last.
    granted: u32,
    /// Requests since a time, which grow less with every look.
    used: u64,
    since: u64,
    pub(super) touched: u64,
    /// More was asked for then.
    asked_at: Option<u64>,
    refused: Option<Refused>,
}

/// Requests of such a cost are refused without asking, up to a time. All of them are up to another.
#[derive(Debug, Clone, Copy)]
struct Refused {
    cost: u32,
    until: u64,
    admits_at: u64,
}

/// How a request stands with a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It was paid for in advance.
    Taken(Taken),
    /// Redis refused the like a moment ago: the bucket lacks so many nanoseconds, and that is too much.
    Refused(u64),
    /// Redis is to be asked, and for so many in advance.
    Ask(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// What the bucket lacked before, for all that this process knows, in nanoseconds.
    pub(super) owed: u64,
    /// Of which lease it was taken.
    full_at: u64,
    /// So many are to be asked for, before there are none.
    pub(super) wanted: u32,
}

/// What Redis granted, and when it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    pub(super) requests: u32,
    /// Nanoseconds that the bucket lacks with all that was charged.
    pub(super) owed: u64,
    pub(super) sent_at: u64,
    /// Redis's clock, in microseconds.
    pub(super) server_now: u64,
}

pub(super) const SECOND: u64 = 1_000_000_000;
/// A lease is to last so long.
const HORIZON: u64 = SECOND / 4;
/// A part of a burst that one lease may hold.
const PART: u32 = 8;
/// A lease grows from so many to twice as many each time.
const FIRST: u32 = 8;
/// Nobody is refused for longer by what Redis said: another process may have returned something since.
const LONGEST_REFUSAL: u64 = SECOND / 4;
/// Redis has lost what does not come until then.
const PATIENCE: u64 = SECOND;

impl Lease {
    /// One that is only watched, from a time on.
    pub(super) fn since(now: u64) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    /// Takes what a request costs, or says what to do instead.
    pub(super) fn take(&mut self, ask: &Ask, now: u64) -> Stand {
        self.touched = now;
        self.interval = ask.quota.interval();
        self.used = self.used.saturating_add(u64::from(ask.cost));
        let worth = self.worth(now);
        if worth < ask.cost {
            return match self.refused {
                Some(refused) if now < refused.until && ask.cost >= refused.cost => {
                    let needed = u64::from(ask.cost.min(ask.quota.burst_size()));
                    let room = ask.quota.full() - ask.quota.interval().saturating_mul(needed);
                    Stand::Refused(room.saturating_add(refused.admits_at - now))
                }
                _ => Stand::Ask(self.wanted(ask.quota, now)),
            };
        }
        let lacks = self.full_at.saturating_sub(now);
        let full_at = self.full_at;
        self.left = worth - ask.cost;
        let is_low = self.left <= self.granted / 4;
        Stand::Taken(Taken {
            owed: lacks.saturating_sub(self.interval.saturating_mul(u64::from(worth))),
            full_at,
            wanted: if is_low {
                self.wanted(ask.quota, now)
            } else {
                0
            },
        })
    }

    /// Returns what was taken, unless this is another one by now.
    pub(super) fn put_back(&mut self, cost: u32, taken: Taken) {
        if self.full_at == taken.full_at {
            self.left = self.left.saturating_add(cost);
        }
    }

    /// More was granted, or nothing.
    pub(super) fn grant(&mut self, grant: Grant) {
        self.asked_at = None;
        self.refused = None;
        if grant.requests == 0 {
            return;
        }
        let mut full_at = grant.sent_at.saturating_add(grant.owed);
        let mut server_full_at = grant.server_now.saturating_add(grant.owed / 1000);
        let worth = self.worth(grant.sent_at);
        if worth > 0 {
            // Both together are worth no more than each was: the older one melts away earlier.
            let longer = self.interval.saturating_mul(u64::from(grant.requests));
            full_at = full_at.min(self.full_at.saturating_add(longer));
            server_full_at = server_full_at.min(self.server_full_at.saturating_add(longer / 1000));
        }
        self.left = worth.saturating_add(grant.requests);
        self.granted = grant.requests;
        (self.full_at, self.server_full_at) = (full_at, server_full_at);
    }

    /// The like of what costs so much is refused from a time on, for so many nanoseconds.
    pub(super) fn refuse(&mut self, cost: u32, sent_at: u64, wait: u64) {
        self.refused = Some(Refused {
            cost,
            until: sent_at.saturating_add(wait.min(LONGEST_REFUSAL)),
            admits_at: sent_at.saturating_add(wait),
        });
        self.asked_at = None;
    }

    /// Redis did not answer.
    pub(super) fn forsake(&mut self) {
        self.asked_at = None;
    }

    /// Requests that it still pays for.
    pub(super) fn worth(&self, now: u64) -> u32 {
        let lasting = self.full_at.saturating_sub(now) / self.interval.max(1);
        u32::try_from(lasting).unwrap_or(u32::MAX).min(self.left)
    }

    /// How many are to be asked for in advance: what is used while the lease is to last, and what melts away meanwhile.
    /// None of a key that is asked for less than once in that time, or while others wait for more.
    fn wanted(&mut self, quota: Quota, now: u64) -> u32 {
        if self
            .asked_at
            .is_some_and(|at| now < at.saturating_add(PATIENCE))
        {
            return 0;
        }
        let elapsed = now.saturating_sub(self.since);
        let used = self.used;
        // Half of what was counts on, unless it is long ago.
        (self.used, self.since) = match elapsed < 4 * HORIZON {
            true => (used.div_ceil(2), now - elapsed / 2),
            false => (1, now),
        };
        // Of one alone nobody knows how soon another follows.
        if used < 2 {
            return 0;
        }
        let use_of = u128::from(used) * u128::from(HORIZON) / u128::from(elapsed.max(1));
        if use_of == 0 {
            return 0;
        }
        let melts = u128::from(HORIZON / quota.interval().max(1));
        let wanted = u32::try_from(use_of + melts).unwrap_or(u32::MAX);
        let grown = self.granted.saturating_mul(2).max(FIRST);
        let wanted = wanted.min(grown).min(quota.burst_size() / PART);
        if wanted > 0 {
            self.asked_at = Some(now);
        }
        wanted
    }
}

use std::cell::Cell;

use governor::{
    RateLimiter,
    clock::Clock,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use crate::Quota;

/// What a bucket says of one request, computed and not yet charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The cell's value if the request is charged: the time at which the bucket will be full.
    pub(crate) next: u64,
    /// Requests that are left then.
    pub(crate) remaining: u32,
}

/// How long until the bucket has one request, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u64);

/// Asks governor's arithmetic about one request at a time, in nanoseconds since an origin.
///
/// governor's limiter reads a store and a clock. Here both live on the stack for one decision:
/// the store holds the cell's value and takes the new one without writing it anywhere, so that
/// several tiers can be asked before any is charged.
#[inline]
pub(crate) fn judge(quota: Quota, cell: Option<u64>, now: u64) -> Result<Charge, Wait> {
    let slot = Slot {
        value: cell.map(Nanos::new),
        next: Cell::new(None),
    };
    // The limiter counts from its making, which is the origin.
    let origin = At(Cell::new(0));
    let limiter: RateLimiter<_, _, _, StateInformationMiddleware> =
        RateLimiter::new(quota.governor(), slot, origin);
    limiter.clock().0.set(now);
    match limiter.check() {
        Ok(snapshot) => Ok(Charge {
            next: limiter
                .into_state_store()
                .next
                .get()
                .map_or(now, Nanos::as_u64),
            remaining: snapshot.remaining_burst_capacity(),
        }),
        Err(refusal) => {
            let wait = refusal.wait_time_from(Nanos::new(now));
            Err(Wait(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
        }
    }
}

/// Charges a request that was not asked for: beyond the burst it becomes a debt, of at most
/// another burst.
pub(crate) fn charge_anyway(quota: Quota, cell: Option<u64>, now: u64) -> u64 {
    let interval = quota.interval();
    let burst = interval.saturating_mul(u64::from(quota.burst_size()));
    let most = now.saturating_add(burst.saturating_mul(2));
    cell.unwrap_or(now)
        .max(now)
        .saturating_add(interval)
        .min(most)
}

impl Charge {
    /// Nanoseconds until there is one request more than now.
    #[inline]
    pub(crate) fn until_more(&self, quota: Quota, now: u64) -> u64 {
        let interval = quota.interval();
        let owed = self.next.saturating_sub(now);
        match owed.checked_rem(interval) {
            Some(0) | None => interval.min(owed),
            Some(part) => part,
        }
    }
}

struct Slot {
    value: Option<Nanos>,
    next: Cell<Option<Nanos>>,
}

impl StateStore for Slot {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, next) = f(self.value)?;
        self.next.set(Some(next));
        Ok(outcome)
    }
}

struct At(Cell<u64>);

impl Clock for At {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.get())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// A token bucket in whole numbers: one token is `interval` parts, one part per nanosecond.
    struct Bucket {
        parts: u128,
        full: u128,
        cost: u128,
        at: u64,
    }

    impl Bucket {
        fn take(&mut self, now: u64) -> Result<u128, u128> {
            self.parts = self.full.min(self.parts + u128::from(now - self.at));
            self.at = now;
            if self.parts >= self.cost {
                self.parts -= self.cost;
                Ok(self.parts / self.cost)
            } else {
                Err(self.cost - self.parts)
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_slow_token_bucket_and_with_governors_own_limiter(
            rate in 1_u32..5000,
            burst in 1_u32..50,
            steps in vec(0_u64..3_000_000_000, 1..200),
        ) {
            let quota = Quota::per_minute(rate).unwrap().burst(burst).unwrap();
            let cost = u128::from(quota.interval());
            let full = cost * u128::from(burst);
            let mut bucket = Bucket { parts: full, full, cost, at: 0 };
            let clock = FakeRelativeClock::default();
            let governors = RateLimiter::direct_with_clock(quota.governor(), clock.clone())
                .with_middleware::<StateInformationMiddleware>();
            let (mut cell, mut now) = (None, 0);
            for step in steps {
                // Half of the steps are none, so that bursts happen.
                let step = if step % 2 == 0 { 0 } else { step };
                now += step;
                clock.advance(Duration::from_nanos(step));
                let judged = judge(quota, cell, now);
                let slow = bucket.take(now);
                let theirs = governors.check();
                match judged {
                    Ok(charge) => {
                        cell = Some(charge.next);
                        prop_assert_eq!(Ok(u128::from(charge.remaining)), slow);
                        let theirs = theirs.map(|s| s.remaining_burst_capacity());
                        prop_assert_eq!(theirs.ok(), Some(charge.remaining));
                        prop_assert!(charge.until_more(quota, now) > 0);
                        prop_assert!(charge.until_more(quota, now) <= quota.interval());
                    }
                    Err(Wait(wait)) => {
                        prop_assert_eq!(Err(u128::from(wait)), slow);
                        prop_assert!(theirs.is_err());
                        // Exact: a nanosecond earlier it is refused, and then not.
                        prop_assert!(judge(quota, cell, now + wait - 1).is_err());
                        prop_assert!(judge(quota, cell, now + wait).is_ok());
                    }
                }
            }
        }
    }

    #[test]
    fn the_slowest_largest_quota_at_the_end_of_time_stays_inside_64_bits() {
        let quota = Quota::per_hour(1).unwrap().burst(1_000_000).unwrap();
        let hour = quota.interval();
        let now = crate::limiter::LATEST;
        let mut cell = None;
        for left in (0..1_000_000).rev().step_by(99_999) {
            cell = Some(now + hour * u64::from(1_000_000 - left - 1));
            let charge = judge(quota, cell, now).unwrap();
            assert_eq!(
                (charge.remaining, charge.until_more(quota, now)),
                (left, hour)
            );
        }
        for _ in 0..3_000_000 {
            cell = Some(charge_anyway(quota, cell, now));
        }
        assert_eq!(judge(quota, cell, now), Err(Wait(hour * 1_000_001)));
        assert_eq!(
            judge(quota, Some(u64::MAX), 0),
            Err(Wait(u64::MAX - hour * 999_999))
        );
    }

    #[test]
    fn a_debt_is_bounded_and_paid_back_at_the_rate() {
        let quota = Quota::per_minute(60).unwrap().burst(2).unwrap();
        let mut cell = None;
        for _ in 0..1000 {
            cell = Some(charge_anyway(quota, cell, 0));
        }
        assert_eq!(judge(quota, cell, 0), Err(Wait(3_000_000_000)));
        assert!(judge(quota, cell, 3_000_000_000).is_ok());
    }
}

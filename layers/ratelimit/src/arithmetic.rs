use crate::Quota;

/// What a bucket says of one request, computed and not yet charged.
///
/// A bucket is the time at which it is full again (GCRA): full is what was never asked, and what it
/// lacks is the time until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The cell's value if the request is charged: the time at which the bucket will be full.
    pub(crate) next: u64,
    /// What the bucket lacks then.
    owed: u64,
}

/// Why a bucket does not admit a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How long until it does, in nanoseconds.
    pub(crate) nanos: u64,
    /// Requests of cost 1 that are left.
    pub(crate) remaining: u32,
}

/// Asks a bucket about one request, in nanoseconds since an origin.
///
/// What costs more than the bucket holds is admitted by a full one, and leaves a debt: whoever sends
/// large bodies is slowed to the rate, and not for ever.
#[inline]
pub(crate) fn judge(quota: Quota, cost: u32, owed: u64, now: u64) -> Result<Charge, Wait> {
    let (interval, full) = (quota.interval(), quota.full());
    let needed = interval.saturating_mul(u64::from(cost.min(quota.burst_size())));
    let room = full.saturating_sub(needed);
    if owed > room {
        return Err(Wait {
            nanos: owed - room,
            remaining: left(quota, owed),
        });
    }
    let owed = owed.saturating_add(interval.saturating_mul(u64::from(cost)));
    Ok(Charge {
        next: now.saturating_add(owed),
        owed,
    })
}

/// What a bucket lacks: nanoseconds until it is full, and never more than `most`, which its rules can
/// leave. One that other rules left behind is brought down to that.
#[inline]
pub(crate) fn owed(full_at: u64, most: u64, now: u64) -> u64 {
    full_at.saturating_sub(now).min(most)
}

/// Charges a request that was not asked for: beyond the burst it becomes a debt, of at most
/// another burst.
pub(crate) fn charge_anyway(quota: Quota, owed: u64, now: u64) -> u64 {
    let most = quota.full().saturating_mul(2);
    now.saturating_add(owed.saturating_add(quota.interval()).min(most))
}

#[inline]
fn left(quota: Quota, owed: u64) -> u32 {
    let left = quota.full().saturating_sub(owed) / quota.interval().max(1);
    u32::try_from(left).unwrap_or(u32::MAX)
}

impl Charge {
    /// Requests that are left, for which it divides.
    #[inline]
    pub(crate) fn remaining(&self, quota: Quota) -> u32 {
        left(quota, self.owed)
    }

    /// Whether none is left.
    #[inline]
    pub(crate) fn is_last(&self, quota: Quota) -> bool {
        quota.full().saturating_sub(self.owed) < quota.interval()
    }

    /// Nanoseconds until there is one request more than so many as are left; a debt is paid first. 0 of a full bucket.
    #[inline]
    pub(crate) fn until_more(&self, quota: Quota, remaining: u32, now: u64) -> u64 {
        let more = u64::from(remaining) + 1;
        let lacks_then = quota
            .full()
            .saturating_sub(quota.interval().saturating_mul(more));
        self.next.saturating_sub(now).saturating_sub(lacks_then)
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use governor::{RateLimiter, clock::FakeRelativeClock, middleware::StateInformationMiddleware};
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const ENDLESS: u64 = u64::MAX;

    /// A token bucket in whole numbers: one token is `interval` parts, one part per nanosecond. It may
    /// hold less than nothing.
    struct Bucket {
        parts: i128,
        full: i128,
        token: i128,
        at: u64,
    }

    impl Bucket {
        fn take(&mut self, cost: u32, now: u64) -> Result<i128, i128> {
            self.parts = self.full.min(self.parts + i128::from(now - self.at));
            self.at = now;
            let cost = self.token * i128::from(cost);
            let needed = cost.min(self.full);
            if self.parts >= needed {
                self.parts -= cost;
                Ok((self.parts / self.token).max(0))
            } else {
                Err(needed - self.parts)
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_slow_token_bucket_and_with_governors_limiter(
            rate in 1_u32..5000,
            burst in 1_u32..50,
            steps in vec((0_u64..3_000_000_000, 1_u32..9), 1..200),
        ) {
            let quota = Quota::per_minute(rate).unwrap().burst(burst).unwrap();
            let token = i128::from(quota.interval());
            let full = token * i128::from(burst);
            let mut bucket = Bucket { parts: full, full, token, at: 0 };
            let clock = FakeRelativeClock::default();
            let theirs = governor::Quota::with_period(Duration::from_nanos(quota.interval()));
            let theirs = theirs.unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
            let theirs = RateLimiter::direct_with_clock(theirs, clock.clone())
                .with_middleware::<StateInformationMiddleware>();
            // governor admits nothing that costs more than the burst, and has no debts.
            let mut is_comparable = true;
            let (mut cell, mut now) = (0, 0);
            for (step, cost) in steps {
                // Half of the steps are none, so that bursts happen; half of the costs are 1.
                let step = if step % 2 == 0 { 0 } else { step };
                let cost = if cost > 4 { 1 } else { cost };
                now += step;
                clock.advance(Duration::from_nanos(step));
                let judged = judge(quota, cost, owed(cell, ENDLESS, now), now);
                let slow = bucket.take(cost, now);
                is_comparable &= cost <= burst;
                let theirs = theirs.check_n(NonZeroU32::new(cost).unwrap());
                if is_comparable {
                    let left = theirs.unwrap().map(|s| s.remaining_burst_capacity());
                    prop_assert_eq!(left.ok(), judged.ok().map(|charge| charge.remaining(quota)));
                }
                match judged {
                    Ok(charge) => {
                        cell = charge.next;
                        let remaining = charge.remaining(quota);
                        prop_assert_eq!(Ok(i128::from(remaining)), slow);
                        prop_assert_eq!(charge.is_last(quota), remaining == 0);
                        let more = charge.until_more(quota, remaining, now);
                        prop_assert!(more > 0);
                        let later = owed(cell, ENDLESS, now + more);
                        prop_assert_eq!(left(quota, later), remaining + 1);
                        let before = owed(cell, ENDLESS, now + more - 1);
                        prop_assert_eq!(left(quota, before), remaining);
                    }
                    Err(Wait { nanos, remaining }) => {
                        prop_assert_eq!(Err(i128::from(nanos)), slow);
                        prop_assert_eq!(i128::from(remaining), (bucket.parts / token).max(0));
                        // Exact: a nanosecond earlier it is refused, and then not.
                        let at = |now| judge(quota, cost, owed(cell, ENDLESS, now), now);
                        prop_assert!(at(now + nanos - 1).is_err());
                        prop_assert!(at(now + nanos).is_ok());
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
        for left in (0..1_000_000).rev().step_by(99_999) {
            let cell = now + hour * u64::from(1_000_000 - left - 1);
            let charge = judge(quota, 1, owed(cell, ENDLESS, now), now).unwrap();
            assert_eq!(
                (charge.remaining(quota), charge.until_more(quota, left, now)),
                (left, hour)
            );
        }
        let mut cell = 0;
        for _ in 0..3_000_000 {
            cell = charge_anyway(quota, owed(cell, ENDLESS, now), now);
        }
        let wait = judge(quota, 1, owed(cell, ENDLESS, now), now).unwrap_err();
        assert_eq!((wait.nanos, wait.remaining), (hour * 1_000_001, 0));
        let wait = judge(quota, 1, owed(u64::MAX, ENDLESS, 0), 0).unwrap_err();
        assert_eq!(wait.nanos, u64::MAX - hour * 999_999);
        let most = judge(quota, 1_000_000, 0, now).unwrap();
        assert_eq!(most.next, now + hour * 1_000_000);
    }

    #[test]
    fn a_debt_is_bounded_and_paid_back_at_the_rate() {
        let quota = Quota::per_minute(60).unwrap().burst(2).unwrap();
        let mut cell = 0;
        for _ in 0..1000 {
            cell = charge_anyway(quota, owed(cell, ENDLESS, 0), 0);
        }
        let at = |now| judge(quota, 1, owed(cell, ENDLESS, now), now);
        assert_eq!(at(0).unwrap_err().nanos, 3_000_000_000);
        assert!(at(3_000_000_000).is_ok());
    }

    #[test]
    fn what_costs_more_than_the_burst_needs_a_full_bucket_and_is_paid_for_whole() {
        let quota = Quota::per_minute(60).unwrap().burst(3).unwrap();
        let second = 1_000_000_000;
        assert!(judge(quota, 10, 1, 0).is_err());
        let charge = judge(quota, 10, 0, 0).unwrap();
        assert_eq!((charge.next, charge.remaining(quota)), (10 * second, 0));
        assert!(charge.is_last(quota));
        assert_eq!(charge.until_more(quota, 0, 0), 8 * second);
        let at = |now| judge(quota, 1, owed(charge.next, ENDLESS, now), now);
        assert_eq!(at(0).unwrap_err().nanos, 8 * second);
        assert!(at(8 * second).is_ok());
    }
}

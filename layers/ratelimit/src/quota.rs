use std::{
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use bartizan_core::CallRate;

use crate::RateLimitConfigError;

/// How often something may happen: a rate that is sustained, and a burst that is saved up.
///
/// A bucket of `burst` requests starts full, each request takes one, and one is earned again every
/// period divided by the rate (GCRA, the token bucket that is refilled continuously).
///
/// ```
/// use bartizan_ratelimit::Quota;
/// let quota = Quota::per_minute(60)?.burst(20)?; // 20 at once, then one each second
/// assert!(Quota::per_minute(0).is_err());
/// # let _ = quota;
/// # Ok::<(), bartizan_ratelimit::RateLimitConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    burst: NonZeroU32,
    /// Nanoseconds in which one is earned.
    interval: NonZeroU64,
}

pub(crate) const MOST: u32 = 1_000_000;

impl Quota {
    /// So many requests each second.
    ///
    /// Without [`burst`](Self::burst) the burst is what ten seconds earn, and at least 1.
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1 000 000.
    pub fn per_second(requests: u32) -> Result<Self, RateLimitConfigError> {
        Self::per("requests per second", requests, Duration::from_secs(1))
    }

    /// So many requests each minute; the burst is as for [`per_second`](Self::per_second).
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1 000 000.
    pub fn per_minute(requests: u32) -> Result<Self, RateLimitConfigError> {
        Self::per("requests per minute", requests, Duration::from_secs(60))
    }

    /// So many requests each hour; the burst is as for [`per_second`](Self::per_second).
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1 000 000.
    pub fn per_hour(requests: u32) -> Result<Self, RateLimitConfigError> {
        Self::per("requests per hour", requests, Duration::from_secs(3600))
    }

    /// So many requests at once, when none was made for long enough.
    ///
    /// # Errors
    ///
    /// If it is 0 or above 1 000 000.
    pub fn burst(self, requests: u32) -> Result<Self, RateLimitConfigError> {
        let burst = within("burst", requests)?;
        Ok(Self { burst, ..self })
    }

    fn per(
        setting: &'static str,
        requests: u32,
        period: Duration,
    ) -> Result<Self, RateLimitConfigError> {
        let rate = within(setting, requests)?;
        // Rounded up: what is earned never exceeds the rate.
        let nanos = nanos(period).div_ceil(u64::from(rate.get()));
        let interval = NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN);
        let ten_seconds = nanos_of_ten_seconds() / interval;
        let burst = u32::try_from(ten_seconds).unwrap_or(MOST).min(MOST);
        Ok(Self {
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
            interval,
        })
    }

    /// Requests that a full bucket holds.
    #[inline]
    pub(crate) fn burst_size(self) -> u32 {
        self.burst.get()
    }

    /// The time in which one request is earned, in nanoseconds.
    #[inline]
    pub(crate) fn interval(self) -> u64 {
        self.interval.get()
    }

    /// The time in which an empty bucket is full, in nanoseconds.
    #[inline]
    pub(crate) fn full(self) -> u64 {
        self.interval().saturating_mul(u64::from(self.burst_size()))
    }
}

#[cfg(feature = "redis")]
impl Quota {
    /// The same in whole microseconds, which Redis counts in. What is earned never exceeds the rate.
    pub(crate) fn in_micros(self) -> Self {
        let interval = self.interval().div_ceil(1000).saturating_mul(1000);
        Self {
            interval: NonZeroU64::new(interval).unwrap_or(self.interval),
            ..self
        }
    }

    /// The part of one of so many replicas: together they let through no more, or one each where the burst is smaller
    /// than they are many.
    pub(crate) fn part(self, replicas: u32) -> Self {
        let burst = self.burst_size() / replicas.max(1);
        let interval = self.interval().saturating_mul(u64::from(replicas.max(1)));
        Self {
            burst: NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN),
            interval: NonZeroU64::new(interval).unwrap_or(self.interval),
        }
    }
}

impl From<CallRate> for Quota {
    fn from(rate: CallRate) -> Self {
        // A rate is in the same range as a quota is.
        let interval = MINUTE.div_ceil(u64::from(rate.per_minute().max(1)));
        Self {
            burst: NonZeroU32::new(rate.burst()).unwrap_or(NonZeroU32::MIN),
            interval: NonZeroU64::new(interval).unwrap_or(NonZeroU64::MIN),
        }
    }
}

const MINUTE: u64 = 60_000_000_000;

fn within(setting: &'static str, requests: u32) -> Result<NonZeroU32, RateLimitConfigError> {
    NonZeroU32::new(requests)
        .filter(|requests| requests.get() <= MOST)
        .ok_or_else(|| RateLimitConfigError::new(setting, requests, "is not from 1 to 1000000"))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos_of_ten_seconds() -> u64 {
    nanos(Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_rate_is_the_quota_of_the_same_numbers() {
        for (per_minute, burst) in [(1, 1), (7, 3), (60, 10), (999_999, 1_000_000)] {
            let rate = CallRate::new(per_minute, burst).unwrap();
            let quota = Quota::per_minute(per_minute).unwrap().burst(burst);
            assert_eq!(Quota::from(rate), quota.unwrap());
        }
    }

    #[test]
    fn seed_r6_rate_and_burst_are_settings_with_ranges() {
        let quota = Quota::per_minute(60).unwrap();
        assert_eq!((quota.burst_size(), quota.interval()), (10, 1_000_000_000));
        assert_eq!(quota.burst(3).unwrap().burst_size(), 3);
        assert_eq!(Quota::per_hour(1).unwrap().burst_size(), 1);
        assert_eq!(Quota::per_second(5).unwrap().burst_size(), 50);
        for refused in [
            Quota::per_minute(0),
            Quota::per_second(1_000_001),
            quota.burst(0),
            quota.burst(1_000_001),
        ] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("`0`") || text.contains("`1000001`"), "{text}");
        }
    }

    #[test]
    fn what_is_earned_never_exceeds_a_rate_that_does_not_divide_the_minute() {
        let quota = Quota::per_minute(7).unwrap();
        assert!(u128::from(quota.interval()) * 7 >= 60_000_000_000);
    }
}

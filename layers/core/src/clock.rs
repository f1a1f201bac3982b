use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Where a guard gets its time: the wall clock for expiry, a monotonic clock for intervals.
///
/// Two clocks, because a wall clock steps (NTP, an operator, a resumed VM) and whatever counts
/// intervals with it then stalls or bursts.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since the Unix epoch, by the wall clock. Zero if the clock stands before the epoch.
    fn wall(&self) -> Duration;

    /// Time since an arbitrary origin that is fixed for this clock; never decreases.
    fn monotonic(&self) -> Duration;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn wall(&self) -> Duration {
        (**self).wall()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }
}

/// The clocks of the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic origin is now.
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that moves only when it is told to, for tests; clones share one time.
///
/// ```
/// use bartizan_core::{Clock, FakeClock};
/// use std::time::Duration;
///
/// let clock = FakeClock::at(Duration::from_secs(1_800_000_000));
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.wall(), Duration::from_secs(1_800_000_060));
/// assert_eq!(clock.monotonic(), Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct FakeClock {
    inner: Arc<FakeTime>,
}

#[derive(Debug)]
struct FakeTime {
    wall_nanos: AtomicU64,
    monotonic_nanos: AtomicU64,
}

impl FakeClock {
    /// A clock whose wall time stands at `wall` since the Unix epoch, and whose monotonic time at zero.
    pub fn at(wall: Duration) -> Self {
        Self {
            inner: Arc::new(FakeTime {
                wall_nanos: AtomicU64::new(nanos(wall)),
                monotonic_nanos: AtomicU64::new(0),
            }),
        }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        self.inner.wall_nanos.fetch_add(nanos(by), Ordering::SeqCst);
        self.inner
            .monotonic_nanos
            .fetch_add(nanos(by), Ordering::SeqCst);
    }

    /// Steps the wall clock, as NTP or an operator would; the monotonic clock does not move.
    pub fn step_wall_to(&self, wall: Duration) {
        self.inner.wall_nanos.store(nanos(wall), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn wall(&self) -> Duration {
        Duration::from_nanos(self.inner.wall_nanos.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.inner.monotonic_nanos.load(Ordering::SeqCst))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_step_leaves_the_monotonic_clock_alone() {
        let clock = FakeClock::at(Duration::from_secs(10_000));
        clock.step_wall_to(Duration::from_secs(6_400));
        assert_eq!(clock.wall(), Duration::from_secs(6_400));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[test]
    fn the_system_clock_stands_after_2020_and_does_not_run_backwards() {
        let clock = SystemClock::new();
        assert!(clock.wall() > Duration::from_secs(1_577_836_800));
        assert!(clock.monotonic() <= clock.monotonic());
    }
}

use std::{error::Error, fmt};

/// How often something may be called: a rate that is sustained, and a burst that is saved up.
///
/// Data, which `bartizan-ratelimit` counts by.
///
/// ```
/// use bartizan_core::CallRate;
/// let rate = CallRate::new(60, 5)?; // 5 at once, then one each second
/// assert_eq!((rate.per_minute(), rate.burst()), (60, 5));
/// assert!(CallRate::new(60, 0).is_err());
/// # Ok::<(), bartizan_core::NoCallRate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallRate {
    per_minute: u32,
    burst: u32,
}

/// Numbers that are no [`CallRate`]; the message names which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCallRate {
    setting: &'static str,
    value: u32,
}

impl CallRate {
    /// Most calls in a minute, and most at once.
    pub const MOST: u32 = 1_000_000;

    /// So many calls in a minute, and so many at once when none was made for long enough.
    ///
    /// # Errors
    ///
    /// If one of them is 0 or above [`MOST`](Self::MOST).
    pub fn new(per_minute: u32, burst: u32) -> Result<Self, NoCallRate> {
        for (setting, value) in [("calls per minute", per_minute), ("burst", burst)] {
            if !(1..=Self::MOST).contains(&value) {
                return Err(NoCallRate { setting, value });
            }
        }
        Ok(Self { per_minute, burst })
    }

    /// Calls that a minute earns.
    #[inline]
    pub fn per_minute(self) -> u32 {
        self.per_minute
    }

    /// Calls at once.
    #[inline]
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// Both together: the lower rate and the smaller burst.
    #[must_use]
    #[inline]
    pub fn and(self, other: Self) -> Self {
        Self {
            per_minute: self.per_minute.min(other.per_minute),
            burst: self.burst.min(other.burst),
        }
    }
}

impl fmt::Display for NoCallRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} `{}` is not from 1 to 1000000",
            self.setting, self.value
        )
    }
}

impl Error for NoCallRate {}

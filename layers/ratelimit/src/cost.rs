use std::{collections::BTreeMap, num::NonZeroU32};

use crate::{RateLimitConfigError, quota::MOST};

/// What a call takes from a bucket, in requests: 1 unless a tier says otherwise.
///
/// A call that costs more than the bucket holds needs a full one, and is paid for whole: what is beyond
/// the burst is a debt, so that the rate holds over time.
///
/// ```
/// use bartizan_ratelimit::{By, Cost, Quota, Tier};
/// // One for each call, ten for an export, and one more for each 64 KiB of the body.
/// let cost = Cost::each(1).tool("export", 10).body_bytes(65_536);
/// let tier = Tier::rate("work", Quota::per_minute(600)?).by(By::account()).cost(cost);
/// # let _ = tier;
/// # Ok::<(), bartizan_ratelimit::RateLimitConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Cost {
    each: u32,
    tools: BTreeMap<Box<str>, u32>,
    body_bytes: Option<u32>,
}

impl Default for Cost {
    fn default() -> Self {
        Self::each(1)
    }
}

impl Cost {
    /// The same for every call: 1 to 1 000 000.
    pub fn each(requests: u32) -> Self {
        Self {
            each: requests,
            tools: BTreeMap::new(),
            body_bytes: None,
        }
    }

    /// Instead of that, for calls of a tool, by its exact name: 1 to 1 000 000.
    pub fn tool(mut self, name: &str, requests: u32) -> Self {
        self.tools.insert(name.into(), requests);
        self
    }

    /// And one more for each so many bytes of the body, of which the last may be fewer: 1 to 1 000 000.
    pub fn body_bytes(mut self, bytes: u32) -> Self {
        self.body_bytes = Some(bytes);
        self
    }

    /// Of a tool, or of all else.
    pub(crate) fn of(&self, tool: Option<&str>) -> u32 {
        let own = tool.and_then(|name| self.tools.get(name));
        own.copied().unwrap_or(self.each)
    }

    pub(crate) fn tools(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(AsRef::as_ref)
    }

    pub(crate) fn per_bytes(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.body_bytes?)
    }

    pub(crate) fn is_one(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is known without the call.
    pub(crate) fn is_known_outside(&self) -> bool {
        self.tools.is_empty() && self.body_bytes.is_none()
    }

    /// The most that a call can cost.
    pub(crate) fn most(&self) -> u32 {
        match self.body_bytes {
            Some(_) => MOST,
            None => self.tools.values().copied().fold(self.each, u32::max),
        }
    }

    pub(crate) fn check(&self) -> Result<(), RateLimitConfigError> {
        let costs = self.tools.values().chain([&self.each]);
        let all = costs.map(|cost| ("cost", cost));
        let mut all = all.chain(
            self.body_bytes
                .iter()
                .map(|bytes| ("bytes of a cost", bytes)),
        );
        match all.find(|(_, number)| !(1..=MOST).contains(*number)) {
            None => Ok(()),
            Some((setting, number)) => Err(RateLimitConfigError::new(
                setting,
                number,
                "is not from 1 to 1000000",
            )),
        }
    }
}

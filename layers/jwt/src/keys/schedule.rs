use std::time::Duration;

/// For so long past their time keys serve without a wait while the refresh runs.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// How soon a failed fetch is repeated while there are no keys at all.
const COLD_FLOOR: Duration = Duration::from_secs(5);

/// Keys are fresh for so long at least, whatever their server says.
const LEAST_TTL: Duration = Duration::from_secs(60);

/// When keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// How long fetched keys are fresh.
    pub(crate) ttl: Duration,
    /// How long beyond that they serve if they cannot be refreshed.
    pub(crate) max_stale: Duration,
    /// The least time between two fetches.
    pub(crate) floor: Duration,
    /// How long one fetch, with discovery, may take.
    pub(crate) timeout: Duration,
}

impl Schedule {
    /// How long keys are fresh whose server says so: no longer than is configured, and no shorter
    /// than a minute or the time between two fetches, since whoever fills a cache of theirs must not
    /// decide how often they are asked for.
    pub(super) fn ttl_of(&self, max_age: Option<Duration>) -> Duration {
        let least = self.floor.max(LEAST_TTL);
        max_age.map_or(self.ttl, |max_age| max_age.max(least).min(self.ttl))
    }

    /// The least time between two fetches while there are keys, or are none.
    pub(super) fn floor(&self, has_keys: bool) -> Duration {
        if has_keys {
            self.floor
        } else {
            self.floor.min(COLD_FLOOR)
        }
    }
}

use std::time::Duration;

use bartizan_lookup::{Ages, Settings};

use crate::ApiKeyConfigError;

/// How keys are looked up and remembered, as plain data: for a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct ApiKeyConfig {
    /// How long a good key is remembered before its record is read again, 1 to 3600 seconds; 30 by default.
    /// So long another process may go on to accept a key that was revoked, and `stale_age_seconds` longer
    /// while it can't ask the store.
    pub key_age_seconds: u64,
    /// How much longer a good key is believed while the store can't be asked, up to 86400 seconds; 300 by
    /// default. Other keys are answered 503 then.
    pub stale_age_seconds: u64,
    /// How long it is remembered that a key is none, up to 300 seconds; 10 by default.
    pub refused_age_seconds: u64,
    /// How many keys are remembered, 1 to 1,000,000; 10,000 by default.
    pub key_capacity: usize,
    /// How long the store has to answer, 1 to 60 seconds; 2 by default.
    pub timeout_seconds: u64,
    /// How many keys are looked up at a time, 1 to 10,000; 64 by default.
    pub max_lookups: usize,
    /// How many requests wait for that, 1 to 100,000; 1024 by default.
    pub max_waiting: usize,
    /// How many keys with a right checksum that were never good are looked up in a minute, 1 to 1,000,000; 600
    /// by default. One network has an eighth of what is left.
    pub new_keys_per_minute: u32,
    /// After how many failures in a row the store is left alone, 1 to 1000; 5 by default.
    pub breaker_failures: u32,
    /// For how long, 1 to 300 seconds; 5 by default.
    pub breaker_pause_seconds: u64,
    /// How long before its end answers to a key say so, and an event each day on which it is used; up to 90 days in
    /// seconds, 14 days by default.
    pub warn_before_seconds: u64,
}

impl Default for ApiKeyConfig {
    fn default() -> Self {
        Self {
            key_age_seconds: 30,
            stale_age_seconds: 300,
            refused_age_seconds: 10,
            key_capacity: 10_000,
            timeout_seconds: 2,
            max_lookups: 64,
            max_waiting: 1024,
            new_keys_per_minute: 600,
            breaker_failures: 5,
            breaker_pause_seconds: 5,
            warn_before_seconds: 14 * 86_400,
        }
    }
}

impl ApiKeyConfig {
    pub(crate) fn lookups(&self) -> Result<Settings, ApiKeyConfigError> {
        self.check()?;
        Ok(Settings {
            layer: "apikey",
            capacity: self.key_capacity,
            ages: Ages {
                good: Duration::from_secs(self.key_age_seconds),
                stale: Duration::from_secs(self.stale_age_seconds),
                bad: Duration::from_secs(self.refused_age_seconds),
            },
            timeout: Duration::from_secs(self.timeout_seconds),
            max_lookups: self.max_lookups,
            max_waiting: self.max_waiting,
            new_per_minute: self.new_keys_per_minute,
            breaker_failures: self.breaker_failures,
            breaker_pause: Duration::from_secs(self.breaker_pause_seconds),
        })
    }

    /// How long a key that ended may be remembered as good.
    pub(crate) fn longest_memory(&self) -> u64 {
        self.key_age_seconds.saturating_add(self.stale_age_seconds)
    }

    fn check(&self) -> Result<(), ApiKeyConfigError> {
        let check = ApiKeyConfigError::in_range;
        check("key_age_seconds", self.key_age_seconds, 1..=3600)?;
        check("stale_age_seconds", self.stale_age_seconds, 0..=86_400)?;
        check("refused_age_seconds", self.refused_age_seconds, 0..=300)?;
        check("key_capacity", self.key_capacity as u64, 1..=1_000_000)?;
        check("timeout_seconds", self.timeout_seconds, 1..=60)?;
        check("max_lookups", self.max_lookups as u64, 1..=10_000)?;
        check("max_waiting", self.max_waiting as u64, 1..=100_000)?;
        let new = u64::from(self.new_keys_per_minute);
        check("new_keys_per_minute", new, 1..=1_000_000)?;
        let failures = u64::from(self.breaker_failures);
        check("breaker_failures", failures, 1..=1000)?;
        check("breaker_pause_seconds", self.breaker_pause_seconds, 1..=300)?;
        check(
            "warn_before_seconds",
            self.warn_before_seconds,
            0..=90 * 86_400,
        )
    }
}

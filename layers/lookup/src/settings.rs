use std::time::Duration;

use crate::Ages;

/// Within what [`Lookups`](crate::Lookups) ask. Whoever makes them has checked the ranges.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "settings, all of which are given"
)]
pub struct Settings {
    /// The layer that events name.
    pub layer: &'static str,
    /// How many credentials are remembered.
    pub capacity: usize,
    /// For how long.
    pub ages: Ages,
    /// How long one look may take.
    pub timeout: Duration,
    /// How many credentials are looked up at a time.
    pub max_lookups: usize,
    /// How many requests wait altogether.
    pub max_waiting: usize,
    /// How many credentials are asked about in a minute that were never good.
    pub new_per_minute: u32,
    /// After how many failures in a row the provider is left alone.
    pub breaker_failures: u32,
    /// For how long.
    pub breaker_pause: Duration,
}

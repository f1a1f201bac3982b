/// What a tier has counted since it was built, or first came with a change of the limits.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TierStatistics {
    /// The tier: `account`, `tool`.
    pub tier: String,
    /// The tool, for a tier of one.
    pub tool: Option<String>,
    /// The rate that is sustained; 0 of a tier that counts open requests.
    pub requests_per_minute: f64,
    /// Requests that a full bucket holds, or that may be open at once.
    pub burst_size: u32,
    /// Requests that are left now, for a tier of one bucket.
    pub current_tokens: Option<u32>,
    /// Requests that are open now, whoever has them, for a tier that counts these.
    pub open: Option<u64>,
    /// Whether its refusals are only told.
    pub shadow: bool,
    /// Requests that it let through or refused. One that another tier refused is that tier's, and
    /// counts here only if this one refused it too.
    pub total_requests: u64,
    /// Those of them that it refused, or would have in shadow.
    pub rejected_requests: u64,
    /// The share of the others, in per cent; 100 if none asked.
    pub success_rate: f64,
}

/// What limits are in force, and what they have counted.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LimitsSnapshot {
    /// 1 at first, and one more with every change.
    pub version: u64,
    /// Buckets that are kept, of which some may be full again and forgotten soon.
    pub keys: usize,
    /// Buckets that are kept at most.
    pub max_keys: usize,
    /// What each tier has counted, in the order in which they are asked.
    pub tiers: Vec<TierStatistics>,
    /// Of limits that a fleet shares.
    #[cfg(feature = "redis")]
    pub fleet: Option<FleetSnapshot>,
}

/// How a process stands with the Redis that its fleet shares. It is the same for all limits over one fleet.
#[cfg(feature = "redis")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FleetSnapshot {
    /// Whether Redis is left alone, because it did not answer.
    pub is_away: bool,
    /// Round trips to Redis so far.
    pub trips: u64,
    /// Those of them that had no answer in time, or none that is of use.
    pub faults: u64,
}

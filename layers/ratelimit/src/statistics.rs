/// What a tier has counted since it was built.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TierStatistics {
    /// The tier: `account`, `tool`.
    pub tier: &'static str,
    /// The tool, for a tier of one.
    pub tool: Option<String>,
    /// The rate that is sustained; of the tier `credential` that of one which says none, since each has its own.
    pub requests_per_minute: f64,
    /// Requests that a full bucket holds.
    pub burst_size: u32,
    /// Requests that are left now, for a tier of one bucket.
    pub current_tokens: Option<u32>,
    /// Requests that it let through or refused. One that another tier refused is that tier's, and
    /// counts here only if this one refused it too.
    pub total_requests: u64,
    /// Those of them that it refused.
    pub rejected_requests: u64,
    /// The share of the others, in per cent; 100 if none asked.
    pub success_rate: f64,
}

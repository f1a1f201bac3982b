/// What a shared tier does while Redis is away. There is no default: each costs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outage {
    /// Requests that the tier concerns are answered 503 with `Retry-After`.
    Closed,
    /// The tier limits nothing. Others do as before.
    Open,
    /// Each process decides by its part of the tier's quota, which is that of one of
    /// [`replicas`](crate::FleetBuilder::replicas).
    LocalShare,
}

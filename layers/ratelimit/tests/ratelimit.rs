//! The two layers as their users see them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of these tests are tests too"
)]

#[path = "ratelimit/common.rs"]
mod common;

#[path = "ratelimit/address.rs"]
mod address;
#[path = "ratelimit/answers.rs"]
mod answers;
#[path = "ratelimit/attacks.rs"]
mod attacks;
#[path = "ratelimit/credentials.rs"]
mod credentials;
#[path = "ratelimit/fairness.rs"]
mod fairness;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet.rs"]
mod fleet;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_driver.rs"]
mod fleet_driver;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_leases.rs"]
mod fleet_leases;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_leases_processes.rs"]
mod fleet_leases_processes;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_outages.rs"]
mod fleet_outages;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_process.rs"]
mod fleet_process;
#[cfg(feature = "redis")]
#[path = "ratelimit/fleet_processes.rs"]
mod fleet_processes;
#[path = "ratelimit/general.rs"]
mod general;
#[path = "ratelimit/open.rs"]
mod open;
#[path = "ratelimit/service.rs"]
mod service;
#[path = "ratelimit/slow_model.rs"]
mod slow_model;
#[path = "ratelimit/swap.rs"]
mod swap;
#[path = "ratelimit/tiers.rs"]
mod tiers;

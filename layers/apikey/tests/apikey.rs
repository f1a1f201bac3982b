//! Keys, from their making to their end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "apikey/contract.rs"]
mod contract;
#[path = "apikey/counting.rs"]
mod counting;
#[path = "apikey/laws.rs"]
mod laws;
#[path = "apikey/life.rs"]
mod life;
#[path = "apikey/mishaps.rs"]
mod mishaps;
#[path = "apikey/records.rs"]
mod records;
#[path = "apikey/requests.rs"]
mod requests;
#[path = "apikey/strangers.rs"]
mod strangers;
#[path = "apikey/support.rs"]
mod support;

//! The layer as its users see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

mod answers;
mod callers;
mod common;
mod contract;
mod hostile;
mod learned;
mod limits;
mod news;
mod pinned;
mod schemas;
#[cfg(feature = "screening")]
mod screening;
mod server;
mod suite;
#[cfg(feature = "typed")]
mod typed;

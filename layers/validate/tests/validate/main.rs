//! The layer as its users see it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests are tests too"
)]

mod common;
mod limits;
mod schemas;

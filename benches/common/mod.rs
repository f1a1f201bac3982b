//! What the gates and the side-by-side measurement share: tokens, requests, the way a request is
//! driven, and our stack. `benches/peers` takes this directory by path, so both measure the same.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    missing_docs,
    reason = "shared by several benches, each of which uses a part and stops at what goes wrong"
)]

pub mod drive;
pub mod inner;
pub mod ours;
pub mod requests;
pub mod tokens;

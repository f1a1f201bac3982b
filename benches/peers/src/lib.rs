#![doc = include_str!("../README.md")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement stops at what goes wrong, and is no API"
)]

#[path = "../../common/mod.rs"]
pub mod common;

pub mod cases;
pub mod equal;
pub mod limits;
pub mod lines;
pub mod peer;
pub mod peer_full;
pub mod side;
pub mod stacks;

//! The safe types: attacks as data, properties, and what they meet outside.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests too"
)]

mod arguments;
#[cfg(all(feature = "command", target_os = "linux"))]
mod commands;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "html")]
mod html;
mod paths;
#[cfg(target_os = "linux")]
mod postgres;
#[cfg(feature = "schemars")]
mod published;
mod statements;
mod texts;
#[cfg(feature = "schemars")]
mod tools;
#[cfg(feature = "net")]
mod urls;
mod vectors;

//! The guide: a request's way through the layers, and how to stack them.
//!
//! # A request's way
#![doc = concat!("\n", include_str!("way.svg"), "\n")]
#![doc = include_str!("guide.md")]

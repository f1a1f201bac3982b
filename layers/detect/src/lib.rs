#![doc = include_str!("../README.md")]

mod account;
mod bound;
mod builder;
mod closings;
#[cfg(feature = "serde")]
mod config;
mod credential;
mod detector;
mod detectors;
mod distinct;
mod error;
mod network;
mod origin;
mod rate;
mod seen;
mod span;
mod table;
mod telling;
mod time;

pub use bound::Bound;
pub use builder::DetectorsBuilder;
#[cfg(feature = "serde")]
pub use config::{BoundConfig, DetectConfig, RateConfig};
pub use detector::Detector;
pub use detectors::Detectors;
pub use error::DetectConfigError;

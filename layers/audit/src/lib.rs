#![doc = include_str!("../README.md")]

#[cfg(feature = "serde")]
mod config;
mod durable;
mod error;
mod exchange;
#[cfg(all(feature = "file", unix))]
mod file;
mod future;
mod gaps;
mod header;
mod late;
mod layer;
mod level;
#[cfg(feature = "metrics")]
mod measure;
mod outlet;
mod record;
mod service;
mod sink;
mod sinks;

pub use bartizan_sensitive::{Kind, Kinds, Names as SensitiveNames, Pseudonyms, Redactor};
#[cfg(feature = "serde")]
pub use config::{AuditConfig, LevelRuleConfig, SinkChoice};
pub use durable::{Confirm, Durable, NotDurable};
pub use error::AuditConfigError;
#[cfg(all(feature = "file", unix))]
pub use file::{RotatingFile, SyncPolicy};
pub use future::ResponseFuture;
pub use layer::AuditLayer;
pub use level::{Level, LevelRule, Levels};
pub use outlet::{Commit, Outlet};
pub use record::{
    Decision, FindingRef, Findings, Json, MAX_DETAIL_BYTES, MAX_RECORD_BYTES, Metadata, Names,
    Outcome, Record, SCHEMA, Text,
};
pub use service::Audit;
pub use sink::AuditSink;
#[cfg(feature = "tracing-subscriber")]
pub use sinks::{AuditRecordsOnly, JsonLinesLayer};
pub use sinks::{Channel, FlushError, JsonLines, Lines, Overflow, Queue, Records, TracingSink};

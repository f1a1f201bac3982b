#![doc = include_str!("../README.md")]

#[cfg(feature = "serde")]
mod config;
mod error;
mod exchange;
mod future;
mod gaps;
mod header;
mod late;
mod layer;
#[cfg(feature = "metrics")]
mod measure;
mod record;
mod service;
mod sink;
mod sinks;

#[cfg(feature = "serde")]
pub use config::{AuditConfig, SinkChoice};
pub use error::AuditConfigError;
pub use future::ResponseFuture;
pub use layer::AuditLayer;
pub use record::{Decision, MAX_RECORD_BYTES, Metadata, Names, Outcome, Record, SCHEMA, Text};
pub use service::Audit;
pub use sink::AuditSink;
#[cfg(feature = "tracing-subscriber")]
pub use sinks::{AuditRecordsOnly, JsonLinesLayer};
pub use sinks::{FlushError, JsonLines, Records, TracingSink};

#![doc = include_str!("../README.md")]

mod answer;
mod body;
#[cfg(all(feature = "chain", unix))]
mod chain;
#[cfg(feature = "serde")]
mod config;
mod durable;
mod error;
mod exchange;
#[cfg(all(feature = "file", unix))]
mod file;
mod forms;
mod future;
mod gaps;
mod header;
mod intent;
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
mod tap;
mod tools;
mod watch;

pub use answer::Answer;
pub use bartizan_sensitive::{Kind, Kinds, Names as SensitiveNames, Pseudonyms, Redactor};
pub use body::RecordedBody;
#[cfg(all(feature = "chain", unix))]
pub use chain::{Bad, BadKind, Chain, ChainKeys, Head, NoHead, Report, VerifyKeys, verify};
#[cfg(all(feature = "chain", feature = "serde", unix))]
pub use config::ChainConfig;
#[cfg(all(feature = "file", feature = "serde", unix))]
pub use config::FileConfig;
#[cfg(feature = "serde")]
pub use config::{
    AuditConfig, KeyFile, LevelRuleConfig, OverflowConfig, PseudonymsConfig, SinkChoice,
};
pub use durable::{Confirm, Durable, NotDurable};
pub use error::AuditConfigError;
#[cfg(all(feature = "file", unix))]
pub use file::{RotatingFile, SyncPolicy};
pub use future::ResponseFuture;
pub use intent::{Intent, IntentFuture, IntentLayer};
pub use layer::AuditLayer;
pub use level::{Level, LevelRule, Levels};
pub use outlet::{Commit, Outlet};
pub use record::{
    Alert, Anomaly, Classes, Decision, EventId, FindingRef, Findings, Found, Identity, JSON_SCHEMA,
    Json, MAX_DETAIL_BYTES, MAX_RECORD_BYTES, Metadata, Names, Outcome, Record, SCHEMA, Severity,
    Text, Unredacted,
};
pub use service::Audit;
pub use sink::AuditSink;
#[cfg(feature = "opentelemetry")]
pub use sinks::OtelLogs;
#[cfg(feature = "tracing-subscriber")]
pub use sinks::{AuditRecordsOnly, JsonLinesLayer};
pub use sinks::{Channel, FlushError, JsonLines, Lines, Overflow, Queue, Records, TracingSink};
pub use watch::{Adding, Watcher};

mod append;
mod channel;
mod json_lines;
mod lines;
#[cfg(feature = "opentelemetry")]
mod otel;
mod queue;
mod records;
#[cfg(feature = "tracing-subscriber")]
mod subscriber;
mod tracing_sink;

#[cfg(all(feature = "chain", unix))]
pub(crate) use append::end_of;
#[cfg(all(feature = "chain", feature = "serde", unix))]
pub(crate) use append::open as open_to_append;
#[cfg(all(feature = "file", unix))]
pub(crate) use append::{last_sequence, still_there};
pub use channel::Channel;
pub use json_lines::JsonLines;
pub use lines::Lines;
#[cfg(all(feature = "file", unix))]
pub(crate) use lines::sync_failed;
#[cfg(feature = "opentelemetry")]
pub use otel::OtelLogs;
pub use queue::{FlushError, Overflow, Queue};
pub use records::Records;
#[cfg(feature = "tracing-subscriber")]
pub use subscriber::{AuditRecordsOnly, JsonLinesLayer};
pub use tracing_sink::TracingSink;

mod append;
mod channel;
mod json_lines;
mod lines;
mod queue;
mod records;
#[cfg(feature = "tracing-subscriber")]
mod subscriber;
mod tracing_sink;

pub use channel::Channel;
pub use json_lines::JsonLines;
pub use lines::Lines;
pub use queue::{FlushError, Overflow, Queue};
pub use records::Records;
#[cfg(feature = "tracing-subscriber")]
pub use subscriber::{AuditRecordsOnly, JsonLinesLayer};
pub use tracing_sink::TracingSink;

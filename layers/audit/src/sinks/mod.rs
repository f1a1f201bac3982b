mod json_lines;
mod records;
#[cfg(feature = "tracing-subscriber")]
mod subscriber;
mod tracing_sink;

pub use json_lines::{FlushError, JsonLines};
pub use records::Records;
#[cfg(feature = "tracing-subscriber")]
pub use subscriber::{AuditRecordsOnly, JsonLinesLayer};
pub use tracing_sink::TracingSink;

//! The peers' audit lines, written.

use std::io::sink;

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};

/// From here on each event becomes a line of JSON, which a thread writes to nowhere.
pub fn write() -> WorkerGuard {
    let (writer, guard): (NonBlocking, _) = tracing_appender::non_blocking(sink());
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(writer)
        .init();
    guard
}

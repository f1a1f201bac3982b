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

use std::cell::RefCell;

use crate::Record;

thread_local! {
    /// Where a record becomes its line, so that no line is allocated.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Hands the record's line to `take`, line break included.
fn with_line(record: &Record<'_>, take: impl FnOnce(&[u8])) {
    let write = |line: &mut Vec<u8>| {
        line.clear();
        record.write_json(line);
        line.push(b'\n');
    };
    LINE.with(|shared| match shared.try_borrow_mut() {
        Ok(mut line) => {
            write(&mut line);
            take(&line);
        }
        // A record within a record's writing: a subscriber that calls a service of its own.
        Err(_) => {
            let mut line = Vec::new();
            write(&mut line);
            take(&line);
        }
    });
}

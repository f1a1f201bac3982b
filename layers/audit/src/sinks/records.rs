use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use crate::{AuditSink, Record};

/// Keeps records in memory, for tests. Clones share them.
///
/// ```
/// use bartizan_audit::{AuditLayer, Records};
/// let records = Records::new();
/// let layer = AuditLayer::new(records.clone());
/// assert!(records.all().is_empty());
/// ```
#[derive(Clone)]
pub struct Records(Arc<Shelf>);

struct Shelf {
    capacity: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: Vec<String>,
    written: u64,
    reserved: usize,
}

impl Records {
    /// Room for 1024 records.
    pub fn new() -> Self {
        Self::with_capacity(1024)
    }

    /// Room for so many records; then the sink is full until they are taken.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Shelf {
            capacity,
            kept: Mutex::default(),
        }))
    }

    /// The records as JSON values, in the order they were written.
    pub fn all(&self) -> Vec<Value> {
        let parse = |line: &String| serde_json::from_str(line).unwrap_or_default();
        self.kept().lines.iter().map(parse).collect()
    }

    /// The records as they would stand on their lines.
    pub fn lines(&self) -> Vec<String> {
        self.kept().lines.clone()
    }

    /// Takes the records' lines away, which makes room.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().lines)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditSink for Records {
    fn reserve(&self) -> bool {
        let mut kept = self.kept();
        let room = kept.lines.len() + kept.reserved < self.0.capacity;
        kept.reserved += usize::from(room);
        room
    }

    fn release(&self) {
        let mut kept = self.kept();
        kept.reserved = kept.reserved.saturating_sub(1);
    }

    fn write(&self, record: &Record<'_>) {
        let mut kept = self.kept();
        kept.written += 1;
        let line = Record {
            sequence: Some(kept.written),
            ..*record
        };
        let line = line.to_json();
        kept.reserved = kept.reserved.saturating_sub(1);
        kept.lines.push(line);
    }

    fn is_scarce(&self) -> bool {
        let kept = self.kept();
        let taken = kept.lines.len() + kept.reserved;
        taken.saturating_mul(4) > self.0.capacity.saturating_mul(3)
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("capacity", &self.0.capacity)
            .field("kept", &self.kept().lines.len())
            .finish()
    }
}

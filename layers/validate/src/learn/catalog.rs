use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{Fingerprint, Schema, SchemaError};

/// The tools of a server, as it listed them at some time.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(super) tools: HashMap<Box<str>, Arc<Tool>>,
    pub(super) learned: Instant,
    pub(super) kept: Duration,
    /// Whether something that passed was different.
    is_outdated: AtomicBool,
}

/// A tool of the server's.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) fingerprint: Fingerprint,
    input: Value,
    /// Compiled when it is first needed.
    compiled: OnceLock<Result<Schema, SchemaError>>,
    is_told: AtomicBool,
}

impl Catalog {
    pub(super) fn new(tools: HashMap<Box<str>, Arc<Tool>>, kept: Duration) -> Self {
        Self {
            tools,
            learned: Instant::now(),
            kept,
            is_outdated: AtomicBool::new(false),
        }
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    pub(super) fn outdate(&self) {
        self.is_outdated.store(true, Ordering::Release);
    }

    pub(super) fn is_outdated(&self) -> bool {
        self.is_outdated.load(Ordering::Acquire)
    }

    pub(super) fn age(&self) -> Duration {
        self.learned.elapsed()
    }
}

impl Tool {
    pub(super) fn new(fingerprint: Fingerprint, input: Value) -> Self {
        Self {
            fingerprint,
            input,
            compiled: OnceLock::new(),
            is_told: AtomicBool::new(false),
        }
    }

    /// The schema of its arguments.
    pub(crate) fn schema(&self) -> Result<&Schema, &SchemaError> {
        let compile = || Schema::compile_value(&self.input);
        self.compiled.get_or_init(compile).as_ref()
    }

    /// Whether nobody was told yet what is wrong with its schema.
    pub(crate) fn tell_once(&self) -> bool {
        !self.is_told.swap(true, Ordering::Relaxed)
    }
}

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Learning;
use crate::{Fingerprint, Schema, SchemaError};

/// The tools of a server, as the last list had them, and of those that it lacks, as lists before had them.
#[derive(Debug)]
pub(super) struct Catalog {
    tools: HashMap<Box<str>, Listed>,
    /// When the last list was learned, and for how long it is kept.
    learned: Instant,
    kept: Duration,
    /// How often the list was said to have changed before it was asked for.
    pub(super) changes: u64,
}

/// A tool, as a list had it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) tool: Arc<Tool>,
    /// When the first list had it, and when the last.
    first: Instant,
    last: Instant,
    /// For how long that was to be kept.
    kept: Duration,
    /// As of which change.
    changes: u64,
}

/// A tool of the server's.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) fingerprint: Fingerprint,
    /// The schema of its arguments, as JSON text.
    input: Box<str>,
    /// That of its results.
    output: Option<Box<str>>,
    /// Compiled when it is first needed.
    compiled: OnceLock<Result<Schema, SchemaError>>,
    compiled_output: OnceLock<Result<Schema, SchemaError>>,
    is_told: AtomicBool,
}

/// What a list says, all pages of it.
pub(super) struct List {
    pub(super) tools: HashMap<Box<str>, Arc<Tool>>,
    /// What it lists as two.
    pub(super) ambiguous: Vec<Box<str>>,
    pub(super) kept: Duration,
    pub(super) changes: u64,
}

impl Catalog {
    /// What is known after a list.
    ///
    /// A tool that it lacks stays until its own time is over: the list may be that of another caller, who does not see it. Of
    /// such there are no more than one list may have, those first that are known longest, so that no list pushes out
    /// what others brought.
    pub(super) fn after(list: List, before: Option<&Self>, how: &Learning) -> Self {
        let now = Instant::now();
        let List {
            tools,
            ambiguous,
            kept,
            changes,
        } = list;
        let mut former: Vec<_> = before
            .into_iter()
            .flat_map(|before| &before.tools)
            .filter(|(name, former)| {
                let is_here = tools.contains_key(*name) || ambiguous.contains(name);
                !is_here && former.is_good(how.stale)
            })
            .collect();
        former.sort_by(|(a, one), (b, other)| (one.first, a).cmp(&(other.first, b)));
        let mut bytes = 0_usize;
        let former = former
            .into_iter()
            .take(how.tools)
            .take_while(|(name, former)| {
                bytes = bytes.saturating_add(name.len() + former.tool.length());
                bytes <= how.bytes
            });
        let former = former.map(|(name, former)| (name.clone(), former.clone()));
        let former: Vec<_> = former.collect();
        let listed = tools.into_iter().map(|(name, tool)| {
            let before = before.and_then(|before| before.tools.get(&name));
            let same = before.filter(|before| before.tool.fingerprint == tool.fingerprint);
            let listed = Listed {
                // It may be compiled.
                tool: same.map_or(tool, |same| Arc::clone(&same.tool)),
                first: before.map_or(now, |before| before.first),
                last: now,
                kept,
                changes,
            };
            (name, listed)
        });
        Self {
            tools: listed.chain(former).collect(),
            learned: now,
            kept,
            changes,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Listed> {
        self.tools.get(name)
    }

    /// Whether a tool's time is over, or its list changed since: the last one, which lacks it, tells nothing of it.
    pub(super) fn is_doubtful(&self, listed: &Listed) -> bool {
        listed.changes < self.changes || listed.last.elapsed() >= listed.kept
    }

    pub(super) fn len(&self) -> usize {
        self.tools.len()
    }

    pub(super) fn age(&self) -> Duration {
        self.learned.elapsed()
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self) -> bool {
        self.age() >= self.kept
    }

    /// Whether it does although it can't be had anew.
    pub(super) fn is_good(&self, stale: Duration) -> bool {
        self.age() <= self.kept + stale
    }
}

impl Listed {
    /// Whether it does although no list has it any more.
    pub(super) fn is_good(&self, stale: Duration) -> bool {
        self.last.elapsed() <= self.kept + stale
    }
}

impl Tool {
    pub(super) fn new(fingerprint: Fingerprint, input: String, output: Option<String>) -> Self {
        Self {
            fingerprint,
            input: input.into(),
            output: output.map(Into::into),
            compiled: OnceLock::new(),
            compiled_output: OnceLock::new(),
            is_told: AtomicBool::new(false),
        }
    }

    /// The schema of its arguments.
    pub(crate) fn schema(&self) -> Result<&Schema, &SchemaError> {
        let compile = || Schema::compile(&self.input);
        self.compiled.get_or_init(compile).as_ref()
    }

    /// The schema of its results, if it declares one.
    pub(crate) fn output(&self) -> Option<Result<&Schema, &SchemaError>> {
        let output = self.output.as_ref()?;
        let compile = || Schema::compile(output);
        Some(self.compiled_output.get_or_init(compile).as_ref())
    }

    /// How many bytes its schemas have.
    fn length(&self) -> usize {
        self.input.len() + self.output.as_ref().map_or(0, |output| output.len())
    }

    /// Whether nobody was told yet what is wrong with its schema.
    pub(crate) fn tell_once(&self) -> bool {
        !self.is_told.swap(true, Ordering::Relaxed)
    }
}

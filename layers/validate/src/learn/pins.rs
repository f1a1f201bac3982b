use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::Fingerprint;

/// What tools are pinned to: what they said of themselves when somebody looked at it. Clones share them.
///
/// A tool that is pinned by nobody is pinned by the first list that has it. What follows from a change,
/// [`OnChange`] says.
///
/// ```
/// use bartizan_validate::{Fingerprint, Pins};
/// let tool = r#"{"name":"add","inputSchema":{"type":"object"}}"#;
/// let pins = Pins::new();
/// pins.pin("add", Fingerprint::of_tool(tool)?);
/// assert!(pins.pinned("add").is_some());
/// # Ok::<(), bartizan_validate::ValidateConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Pins(Arc<Mutex<HashMap<Box<str>, Fingerprint>>>);

/// What follows if a tool is not any more what it was pinned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnChange {
    /// An event, and it is judged by what it says now.
    #[default]
    Report,
    /// An event, and its calls are refused with 403 until it is what it was, or is [pinned](Pins::pin) anew.
    Refuse,
}

impl Pins {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Pins a tool, instead of what it was pinned to.
    pub fn pin(&self, tool: &str, fingerprint: Fingerprint) {
        self.lock().insert(tool.into(), fingerprint);
    }

    /// What a tool is pinned to.
    pub fn pinned(&self, tool: &str) -> Option<Fingerprint> {
        self.lock().get(tool).copied()
    }

    /// What a tool is pinned to, from now on this if it is not pinned and there is room for one more.
    pub(super) fn pinned_or(
        &self,
        tool: &str,
        now: Fingerprint,
        most: usize,
    ) -> Option<Fingerprint> {
        let mut pins = self.lock();
        if let Some(pinned) = pins.get(tool) {
            return Some(*pinned);
        }
        if pins.len() >= most {
            return None;
        }
        pins.insert(tool.into(), now);
        Some(now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Fingerprint>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lock().len();
        f.debug_struct("Pins")
            .field("count", &count)
            .finish_non_exhaustive()
    }
}

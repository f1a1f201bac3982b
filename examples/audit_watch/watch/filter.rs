//! Which records are wanted.

use bartizan::audit::{JSON_SCHEMA, Severity};
use serde_json::Value;

use super::record::Record;

/// Class, user and tool narrow what is counted and shown; the severity only what is shown.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) severity: Severity,
    pub(crate) classes: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) tools: Vec<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            severity: Severity::Info,
            classes: Vec::new(),
            users: Vec::new(),
            tools: Vec::new(),
        }
    }
}

impl Filter {
    /// Whether it is one of those that were asked for. Records that are missing may have been, so a gap always is.
    pub(super) fn admits(&self, record: &Record) -> bool {
        let event = record.event_type();
        let is_class = |class: &String| event == class || record.classes().any(|c| c == class);
        event == "audit_gap"
            || (any(&self.classes, is_class)
                && any(&self.users, |user| is_like(record.text("user_id"), user))
                && any(&self.tools, |tool| is_like(record.text("tool_name"), tool)))
    }
}

/// The classes and types of event that the schema knows: another one is a slip, and would show nothing for ever.
pub(super) fn is_class(word: &str) -> bool {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap_or_default();
    let lists = [
        "/properties/classes/items/enum",
        "/properties/event_type/enum",
    ];
    let mut lists = lists
        .iter()
        .filter_map(|path| schema.pointer(path)?.as_array());
    lists.any(|list| list.iter().any(|known| known == word))
}

fn any(wanted: &[String], is_it: impl FnMut(&String) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is_it)
}

/// The same, or the same up to a `*` at its end.
fn is_like(value: Option<&str>, wanted: &str) -> bool {
    let Some(value) = value else {
        return false;
    };
    match wanted.strip_suffix('*') {
        Some(beginning) => value.starts_with(beginning),
        None => value == wanted,
    }
}

//! Records in the forms that others search by.

mod ecs;
mod ocsf;

use bartizan_core::Verdict;
use serde_json::Value;

use crate::{Record, Text};

impl Record<'_> {
    /// Which decoy was touched.
    fn decoy(&self) -> Option<&str> {
        let mut findings = self.findings.iter();
        let touched = findings.find(|finding| finding.verdict == Verdict::Honey);
        touched.map(|finding| finding.reason)
    }
}

fn shown(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.to_string())
}

/// Without members that say nothing.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (key, pruned(value)));
            let is_empty = |value: &Value| match value {
                Value::Null => true,
                Value::Object(members) => members.is_empty(),
                Value::Array(items) => items.is_empty(),
                _ => false,
            };
            members.filter(|(_, value)| !is_empty(value)).collect()
        }
        Value::Array(items) => items.into_iter().map(pruned).collect(),
        other => other,
    }
}

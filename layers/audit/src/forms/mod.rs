//! Records in the forms that others search by.

mod ecs;
mod ocsf;

use serde_json::Value;

use crate::Text;

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

use std::{collections::BTreeSet, sync::LazyLock};

use bartizan_audit::{Classes, JSON_SCHEMA, Outcome, Record, Severity, Text};
use bartizan_core::{
    DenialKind,
    names::{Pattern, Shape},
};
use serde_json::Value;

use crate::AlertsConfigError;

/// What a record must be: one of each list that is not empty.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    events: Vec<Box<str>>,
    pub(super) classes: Vec<Classes>,
    pub(super) at_least: Severity,
    pub(super) detectors: Vec<Box<str>>,
    tools: Vec<Pattern>,
    pub(super) denials: Vec<DenialKind>,
    pub(super) outcomes: Vec<Outcome>,
    actions: Vec<Pattern>,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            classes: Vec::new(),
            at_least: Severity::Info,
            detectors: Vec::new(),
            tools: Vec::new(),
            denials: Vec::new(),
            outcomes: Vec::new(),
            actions: Vec::new(),
        }
    }
}

impl Condition {
    pub(super) fn event(&mut self, event_type: &str) -> Result<(), AlertsConfigError> {
        if !EVENT_TYPES.contains(event_type) || event_type == "alert" {
            let problem = "is no `event_type` that alerts are raised for";
            return Err(AlertsConfigError::new("event", event_type, problem));
        }
        self.events.push(event_type.into());
        Ok(())
    }

    pub(super) fn tool(&mut self, pattern: &str) -> Result<(), AlertsConfigError> {
        self.tools.push(read("tool", pattern)?);
        Ok(())
    }

    pub(super) fn action(&mut self, pattern: &str) -> Result<(), AlertsConfigError> {
        self.actions.push(read("action", pattern)?);
        Ok(())
    }

    /// Whether it fits whatever there is.
    pub(super) fn is_everything(&self) -> bool {
        self.at_least == Severity::Info
            && self.events.is_empty()
            && self.classes.is_empty()
            && self.detectors.is_empty()
            && self.tools.is_empty()
            && self.denials.is_empty()
            && self.outcomes.is_empty()
            && self.actions.is_empty()
    }

    /// The cheap ones, and those that fit few, first.
    pub(crate) fn fits(&self, record: &Record<'_>) -> bool {
        record.severity >= self.at_least
            && any(&self.classes, |these| record.classes.has(*these))
            && any(&self.events, |event| **event == *record.event_type)
            && any(&self.denials, |kind| record.metadata.denial == Some(*kind))
            && any(&self.outcomes, |outcome| record.outcome == Some(*outcome))
            && any(&self.detectors, |name| detector(record) == Some(&**name))
            && any(&self.actions, |pattern| named(pattern, record.action))
            && any(&self.tools, |pattern| named(pattern, record.tool_name))
    }
}

fn any<T>(all: &[T], fits: impl Fn(&T) -> bool) -> bool {
    all.is_empty() || all.iter().any(fits)
}

fn named(pattern: &Pattern, name: Option<Text<'_>>) -> bool {
    name.is_some_and(|name| pattern.matches(name.as_str()))
}

/// Who found it, if it is an anomaly.
pub(super) fn detector(record: &Record<'_>) -> Option<&'static str> {
    let found = record.metadata.found?;
    Some(found.detector).filter(|name| !name.is_empty())
}

fn read(setting: &'static str, text: &str) -> Result<Pattern, AlertsConfigError> {
    let refused = |problem| AlertsConfigError::new(setting, text, problem);
    Pattern::parse(text, Shape::Flat).map_err(refused)
}

/// All that records may have, as their published schema says.
static EVENT_TYPES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap_or_default();
    let listed = schema.pointer("/properties/event_type/enum");
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    let words = listed.filter_map(Value::as_str).map(str::to_owned);
    // A checkpoint is a line, and no record.
    words.filter(|word| word != "audit_checkpoint").collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_event_are_those_of_the_published_schema() {
        for known in ["tool_call", "audit_gap", "system_event", "anomaly"] {
            assert!(EVENT_TYPES.contains(known), "{known}");
        }
        for unknown in ["tool_cal", "", "audit_checkpoint", "alert"] {
            assert!(Condition::default().event(unknown).is_err(), "{unknown}");
        }
    }
}

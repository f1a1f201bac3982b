use bartizan_core::Call;
use bartizan_sensitive::{Masked, Redactor};

use crate::{AuditConfigError, record::is_event_type, tap::Tap};

/// How much of a request its record shows. Each level shows what the one before it does, and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Level {
    /// No record, if no guard refused, the result is `success`, and the call was not destructive. Otherwise as
    /// [`Metadata`](Self::Metadata): what was refused, failed or destroys is always recorded.
    None,
    /// Who asked for what, and how it ended; nothing of what was sent. The default.
    #[default]
    Metadata,
    /// With the shape of the call's arguments: names of members, types and lengths.
    Shape,
    /// With the arguments, redacted.
    Arguments,
    /// With the answer too, redacted: of its body's first 16 KiB.
    Answer,
}

/// Which level is whose: by the tool that is called, and by the record's `event_type`. The first rule that fits counts.
///
/// ```
/// use bartizan_audit::{AuditLayer, Level, LevelRule, Levels, Records};
/// let levels = Levels::new(Level::Metadata)
///     .rule(LevelRule::new(Level::Arguments).tool("delete_*")?.tool("transfer")?)
///     .rule(LevelRule::new(Level::Shape).event("tool_call")?)
///     .rule(LevelRule::new(Level::None).event("notification")?);
/// let layer = AuditLayer::new(Records::new()).levels(levels);
/// // No: a name that no record has.
/// assert!(LevelRule::new(Level::None).event("tool_cal").is_err());
/// # Ok::<(), bartizan_audit::AuditConfigError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels {
    rules: Vec<LevelRule>,
    otherwise: Level,
}

/// A level, and the requests that it is for: all of them, unless [`tool`](Self::tool) or [`event`](Self::event) says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelRule {
    level: Level,
    tools: Vec<String>,
    events: Vec<String>,
}

impl Levels {
    /// This level for all that no rule is for.
    pub fn new(otherwise: Level) -> Self {
        Self {
            rules: Vec::new(),
            otherwise,
        }
    }

    /// One more rule, behind those before.
    #[must_use]
    pub fn rule(mut self, rule: LevelRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The tool is asked for only if there are rules.
    pub(crate) fn of<'t>(&self, event_type: &str, tool: impl FnOnce() -> Option<&'t str>) -> Level {
        if self.rules.is_empty() {
            return self.otherwise;
        }
        let tool = tool();
        let rule = self.rules.iter().find(|rule| rule.is_for(event_type, tool));
        rule.map_or(self.otherwise, |rule| rule.level)
    }

    /// Whether this level is anybody's.
    pub(crate) fn have(&self, level: Level) -> bool {
        self.otherwise == level || self.rules.iter().any(|rule| rule.level == level)
    }
}

impl LevelRule {
    /// A rule for all requests.
    pub fn new(level: Level) -> Self {
        Self {
            level,
            tools: Vec::new(),
            events: Vec::new(),
        }
    }

    /// For calls of this tool only, or of others that the rule names. A `*` at the end stands for any end.
    ///
    /// # Errors
    ///
    /// If the name is empty, or has a `*` elsewhere.
    pub fn tool(mut self, name: &str) -> Result<Self, AuditConfigError> {
        let beginning = name.strip_suffix('*').unwrap_or(name);
        if name.is_empty() || beginning.contains('*') {
            let problem = "is empty, or has a `*` that is not its end";
            return Err(AuditConfigError::new("level's tool", name, problem));
        }
        self.tools.push(name.to_owned());
        Ok(self)
    }

    /// For records of this `event_type` only, or of others that the rule names.
    ///
    /// # Errors
    ///
    /// If no request's record has it.
    pub fn event(mut self, event_type: &str) -> Result<Self, AuditConfigError> {
        if !is_event_type(event_type) {
            let problem = "is no `event_type` of a request's record";
            return Err(AuditConfigError::new("level's event", event_type, problem));
        }
        self.events.push(event_type.to_owned());
        Ok(self)
    }

    fn is_for(&self, event_type: &str, tool: Option<&str>) -> bool {
        let is_named = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => tool.is_some_and(|tool| tool.starts_with(beginning)),
            None => tool == Some(pattern),
        };
        let is_tools = self.tools.is_empty() || self.tools.iter().any(is_named);
        let is_events = self.events.is_empty() || self.events.iter().any(|e| e == event_type);
        is_tools && is_events
    }
}

/// What a level shows of a call beyond its metadata, as JSON.
#[derive(Debug, Default)]
pub(crate) struct Detail {
    pub(crate) arguments: Option<String>,
    pub(crate) masked: Masked,
    pub(crate) response: Option<(String, Masked)>,
}

impl Detail {
    pub(crate) fn of(
        level: Level,
        call: Option<&Call>,
        tap: Option<Tap>,
        redactor: &Redactor,
    ) -> Self {
        if matches!(level, Level::None | Level::Metadata) {
            return Self::default();
        }
        let response = tap.and_then(|tap| tap.shown(redactor));
        let Some(arguments) = call.and_then(Call::arguments) else {
            return Self {
                response,
                ..Self::default()
            };
        };
        let (mut out, json) = (Vec::with_capacity(256), arguments.as_bytes());
        let masked = match level {
            Level::Shape => redactor.shape(json, &mut out),
            _ => redactor.redact(json, &mut out),
        };
        Self {
            arguments: String::from_utf8(out).ok(),
            masked,
            response,
        }
    }

    pub(crate) fn has_masked(&self) -> bool {
        let response = self.response.as_ref();
        !self.masked.is_empty() || response.is_some_and(|(_, masked)| !masked.is_empty())
    }

    /// What was masked, by the member of the record that it is in.
    pub(crate) fn masked(&self) -> [(&'static str, Option<&Masked>); 2] {
        let response = self.response.as_ref().map(|(_, masked)| masked);
        [("arguments", Some(&self.masked)), ("response", response)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_both_tool_and_event_counts() {
        let shape = LevelRule::new(Level::Shape).tool("delete_*").unwrap();
        let none = LevelRule::new(Level::None).event("notification").unwrap();
        let both = LevelRule::new(Level::Arguments).tool("pay").unwrap();
        let both = both.event("tool_call").unwrap();
        let levels = Levels::new(Level::Metadata)
            .rule(shape)
            .rule(none)
            .rule(both);
        for (event, tool, level) in [
            ("tool_call", Some("delete_all"), Level::Shape),
            ("authorization_denied", Some("delete_"), Level::Shape),
            ("tool_call", Some("delete"), Level::Metadata),
            ("tool_call", Some("pay"), Level::Arguments),
            ("rate_limited", Some("pay"), Level::Metadata),
            ("notification", None, Level::None),
            ("request", None, Level::Metadata),
        ] {
            assert_eq!(levels.of(event, || tool), level, "{event} {tool:?}");
        }
        assert_eq!(
            Levels::default().of("tool_call", || Some("pay")),
            Level::Metadata
        );
        assert!(levels.have(Level::Arguments) && levels.have(Level::Metadata));
        assert!(!levels.have(Level::Answer));
    }

    #[test]
    fn a_rule_that_would_never_fit_names_itself() {
        for error in [
            LevelRule::new(Level::None).tool("").unwrap_err(),
            LevelRule::new(Level::None).tool("a*b").unwrap_err(),
            LevelRule::new(Level::None).event("late").unwrap_err(),
        ] {
            assert!(error.to_string().starts_with("level's "), "{error}");
        }
    }
}

use std::path::PathBuf;

use bartizan_sensitive::{Names, Redactor};
use serde::{Deserialize, Serialize};

use crate::{AuditConfigError, AuditLayer, JsonLines, Level, LevelRule, Levels, Watcher};

/// The settings of an [`AuditLayer`] as a file holds them; unknown fields are refused.
///
/// ```
/// use bartizan_audit::{AuditConfig, AuditLayer};
/// let config: AuditConfig = serde_json::from_str(
///     r#"{ "sink": "stderr", "correlation_header": "x-correlation-id" }"#,
/// )?;
/// let layer = AuditLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuditConfig {
    /// Where the records go; absent: standard output.
    pub sink: SinkChoice,
    /// See [`JsonLines::capacity`].
    pub capacity: Option<usize>,
    /// See [`AuditLayer::correlation_header`].
    pub correlation_header: Option<String>,
    /// See [`AuditLayer::without_correlation_header`].
    pub without_correlation_header: bool,
    /// See [`AuditLayer::danger_continue_without_record`].
    pub danger_continue_without_record: bool,
    /// See [`AuditLayer::levels`]: the level of what no rule is for.
    pub level: Level,
    /// See [`AuditLayer::levels`]: the first that fits counts.
    pub level_rules: Vec<LevelRuleConfig>,
    /// Names of members whose values are sensitive, besides those that are known; see [`Names::with`].
    pub sensitive_names: Vec<String>,
}

/// A [`LevelRule`] as a file holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LevelRuleConfig {
    /// The level.
    pub level: Level,
    /// See [`LevelRule::tool`]; none: whatever tool.
    #[serde(default)]
    pub tools: Vec<String>,
    /// See [`LevelRule::event`]; none: whatever event.
    #[serde(default)]
    pub events: Vec<String>,
}

impl TryFrom<LevelRuleConfig> for LevelRule {
    type Error = AuditConfigError;

    fn try_from(config: LevelRuleConfig) -> Result<Self, AuditConfigError> {
        let rule = Self::new(config.level);
        let mut tools = config.tools.iter();
        let rule = tools.try_fold(rule, |rule, tool| rule.tool(tool))?;
        let mut events = config.events.iter();
        events.try_fold(rule, |rule, event| rule.event(event))
    }
}

/// Where the JSON lines of an [`AuditConfig`] go: `"stdout"`, `"stderr"` or `{ "append": "a/path" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkChoice {
    /// See [`JsonLines::stdout`].
    #[default]
    Stdout,
    /// See [`JsonLines::stderr`].
    Stderr,
    /// See [`JsonLines::append`].
    Append(PathBuf),
}

impl AuditConfig {
    /// Builds the layer, whose records these look at, in their order: detectors, alerts.
    ///
    /// # Errors
    ///
    /// What the layer's methods refuse, and a correlation header that is not to be sent.
    pub fn watched_by(
        self,
        watchers: impl IntoIterator<Item = Box<dyn Watcher>>,
    ) -> Result<AuditLayer, AuditConfigError> {
        let config = self;
        if let (Some(name), true) = (
            &config.correlation_header,
            config.without_correlation_header,
        ) {
            let problem = "is named, and without_correlation_header is set";
            return Err(AuditConfigError::new("correlation_header", name, problem));
        }
        let mut lines = match &config.sink {
            SinkChoice::Stdout => JsonLines::stdout(),
            SinkChoice::Stderr => JsonLines::stderr(),
            SinkChoice::Append(path) => JsonLines::append(path)?,
        };
        if let Some(capacity) = config.capacity {
            lines = lines.capacity(capacity)?;
        }
        for watcher in watchers {
            lines = lines.watched_by(watcher);
        }
        let mut layer = AuditLayer::new(lines);
        if let Some(name) = &config.correlation_header {
            layer = layer.correlation_header(name)?;
        }
        if config.without_correlation_header {
            layer = layer.without_correlation_header();
        }
        if config.danger_continue_without_record {
            layer = layer.danger_continue_without_record();
        }
        let mut levels = Levels::new(config.level);
        for rule in config.level_rules {
            levels = levels.rule(rule.try_into()?);
        }
        let mut names = Names::new();
        for name in &config.sensitive_names {
            names = names.with(name)?;
        }
        layer.levels(levels).redactor(Redactor::new().names(names))
    }
}

impl TryFrom<AuditConfig> for AuditLayer {
    type Error = AuditConfigError;

    /// See [`AuditConfig::watched_by`], with nobody.
    fn try_from(config: AuditConfig) -> Result<Self, AuditConfigError> {
        config.watched_by([])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Result<AuditLayer, String> {
        let config: AuditConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        config
            .try_into()
            .map_err(|e: AuditConfigError| e.to_string())
    }

    #[test]
    fn every_setting_reaches_the_layer() {
        let from_file = build(
            r#"{ "sink": "stderr", "capacity": 10, "correlation_header": "x-id",
                 "danger_continue_without_record": true, "level": "shape", "sensitive_names": ["kennitala"],
                 "level_rules": [{ "level": "arguments", "tools": ["pay"], "events": ["tool_call"] }] }"#,
        );
        let pay = LevelRule::new(Level::Arguments).tool("pay").unwrap();
        let pay = pay.event("tool_call").unwrap();
        let names = Names::new().with("kennitala").unwrap();
        let by_hand = AuditLayer::new(JsonLines::stderr())
            .correlation_header("x-id")
            .unwrap()
            .danger_continue_without_record()
            .levels(Levels::new(Level::Shape).rule(pay))
            .redactor(Redactor::new().names(names))
            .unwrap();
        assert_eq!(format!("{:?}", from_file.unwrap()), format!("{by_hand:?}"));
        let without = build(r#"{ "without_correlation_header": true }"#).unwrap();
        assert!(format!("{without:?}").contains("correlation_header: None"));
    }

    #[test]
    fn a_contradiction_or_an_unknown_field_names_itself() {
        for (json, named) in [
            (r#"{ "sinks": "stdout" }"#, "sinks"),
            (r#"{ "sink": "syslog" }"#, "syslog"),
            (
                r#"{ "sink": { "append": "/nowhere/audit.log" } }"#,
                "/nowhere/audit.log",
            ),
            (r#"{ "capacity": 0 }"#, "capacity `0`"),
            (r#"{ "correlation_header": "set-cookie" }"#, "set-cookie"),
            (r#"{ "level": "all" }"#, "all"),
            (
                r#"{ "level_rules": [{ "level": "none", "events": ["tool_cal"] }] }"#,
                "`tool_cal`",
            ),
            (
                r#"{ "level_rules": [{ "level": "none", "tools": [""] }] }"#,
                "level's tool",
            ),
            (r#"{ "sensitive_names": ["--"] }"#, "`--`"),
            (
                r#"{ "correlation_header": "x-id", "without_correlation_header": true }"#,
                "x-id",
            ),
        ] {
            let error = build(json).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}

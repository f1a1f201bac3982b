use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{AuditConfigError, AuditLayer, JsonLines};

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

impl TryFrom<AuditConfig> for AuditLayer {
    type Error = AuditConfigError;

    /// Builds the layer; besides what its methods refuse, a correlation header that is not to be sent.
    fn try_from(config: AuditConfig) -> Result<Self, AuditConfigError> {
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
        let mut layer = Self::new(lines);
        if let Some(name) = &config.correlation_header {
            layer = layer.correlation_header(name)?;
        }
        if config.without_correlation_header {
            layer = layer.without_correlation_header();
        }
        if config.danger_continue_without_record {
            layer = layer.danger_continue_without_record();
        }
        Ok(layer)
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
                 "danger_continue_without_record": true }"#,
        );
        let by_hand = AuditLayer::new(JsonLines::stderr())
            .correlation_header("x-id")
            .unwrap()
            .danger_continue_without_record();
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

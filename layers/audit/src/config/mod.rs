//! Settings as a file holds them.

mod key_file;
mod overflow;
mod pseudonyms;
mod sink;
#[cfg(test)]
mod tests;

use std::{fs, path::Path};

use bartizan_sensitive::{Names, Redactor};
use serde::{Deserialize, Serialize};

pub use key_file::KeyFile;
pub use overflow::OverflowConfig;
pub use pseudonyms::PseudonymsConfig;
#[cfg(all(feature = "chain", unix))]
pub use sink::ChainConfig;
#[cfg(all(feature = "file", unix))]
pub use sink::FileConfig;
pub use sink::SinkChoice;

use crate::{AuditConfigError, AuditLayer, Level, LevelRule, Levels, Watcher};

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
///
/// A log that is to last, in TOML. A key is a file of random bytes (`head -c 32 /dev/urandom`), which nobody but its owner may
/// write, and only the owner and the group may read:
///
/// ```toml
/// level = "metadata"
/// destructive = ["delete_*"]
/// overflow = { spill = "/var/log/mcp/audit.spill" }
/// pseudonyms = { key = { number = 1, path = "/etc/mcp/pseudonyms.key" }, kinds = ["email"] }
///
/// [sink.file] # feature `file`
/// path = "/var/log/mcp/audit.log"
/// rotate_at_bytes = 268435456
/// rotate_every_seconds = 86400
/// sync = "when_awaited" # or "never", "always"
///
/// [sink.file.chain] # feature `chain`
/// mac_key = { number = 1, path = "/etc/mcp/audit.mac" }
/// signing_key = "/etc/mcp/audit.seed"
/// checkpoint_lines = 1000
/// checkpoint_seconds = 10
/// heads = "/mnt/elsewhere/heads"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuditConfig {
    /// Where the records go; absent: standard output.
    pub sink: SinkChoice,
    /// See [`Queue::capacity`](crate::Queue::capacity).
    pub capacity: Option<usize>,
    /// What becomes of records that find no room.
    pub overflow: OverflowConfig,
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
    /// Names that stand for what is sensitive, in place of masks; absent: masks.
    pub pseudonyms: Option<PseudonymsConfig>,
    /// See [`AuditLayer::destructive`].
    pub destructive: Vec<String>,
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
        let mut queue = config.sink.queue()?;
        if let (SinkChoice::Append(log), OverflowConfig::Spill(spill)) =
            (&config.sink, &config.overflow)
            && is_same(log, spill)
        {
            let (spill, problem) = (spill.to_string_lossy(), "is the log itself");
            return Err(AuditConfigError::new("overflow spill", spill, problem));
        }
        queue = queue.overflow(config.overflow.into())?;
        if let Some(capacity) = config.capacity {
            queue = queue.capacity(capacity)?;
        }
        for watcher in watchers {
            queue = queue.watched_by(watcher);
        }
        let mut layer = AuditLayer::new(queue);
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
        let mut redactor = Redactor::new().names(names);
        if let Some(pseudonyms) = &config.pseudonyms {
            redactor = pseudonyms.over(redactor)?;
        }
        let layer = layer.levels(levels).redactor(redactor)?;
        layer.destructive(config.destructive)
    }
}

/// Whether they are one file. What is not there yet is none.
fn is_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (fs::canonicalize(one), fs::canonicalize(other));
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

impl TryFrom<AuditConfig> for AuditLayer {
    type Error = AuditConfigError;

    /// See [`AuditConfig::watched_by`], with nobody.
    fn try_from(config: AuditConfig) -> Result<Self, AuditConfigError> {
        config.watched_by([])
    }
}

use std::time::Duration;

use bartizan_core::call::{CallConfig, CallLimitsError};
use serde::{Deserialize, Serialize};

use super::{MemoryOwners, TaskOwnerLayer};
use crate::SessionConfigError;

/// A [`TaskOwnerLayer`] over [`MemoryOwners`] as it stands in a configuration file; unknown fields are
/// refused.
///
/// ```
/// use bartizan_session::{TaskOwnerConfig, TaskOwnerLayer};
/// let config: TaskOwnerConfig = serde_json::from_str(r#"{"lifetime_seconds": 3600}"#)?;
/// let layer = TaskOwnerLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TaskOwnerConfig {
    /// As for [`MemoryOwners::with_capacity`]; absent means [`MemoryOwners::DEFAULT_CAPACITY`].
    pub capacity: Option<usize>,
    /// As for [`MemoryOwners::with_capacity`]; absent means [`MemoryOwners::DEFAULT_SHARE`].
    pub share: Option<usize>,
    /// As for [`TaskOwnerLayer::lifetime`], in seconds; absent means a day.
    pub lifetime_seconds: Option<u64>,
    /// As for [`TaskOwnerLayer::answer_bytes`]; absent means 1 MiB.
    pub answer_bytes: Option<usize>,
    /// See [`TaskOwnerLayer::call_limits`].
    pub call_limits: CallConfig,
    /// As [`TaskOwnerLayer::danger_allow_anonymous`].
    pub danger_allow_anonymous: bool,
}

impl TryFrom<TaskOwnerConfig> for TaskOwnerLayer {
    type Error = SessionConfigError;

    fn try_from(config: TaskOwnerConfig) -> Result<Self, SessionConfigError> {
        let capacity = config.capacity.unwrap_or(MemoryOwners::DEFAULT_CAPACITY);
        let share = config.share.unwrap_or(MemoryOwners::DEFAULT_SHARE);
        let limits = config.call_limits.try_into();
        let limits = limits.map_err(|error: CallLimitsError| {
            SessionConfigError::new("setting", "call_limits", error.to_string())
        })?;
        let mut layer =
            Self::new(MemoryOwners::with_capacity(capacity, share)?).call_limits(limits);
        if let Some(seconds) = config.lifetime_seconds {
            layer = layer.lifetime(Duration::from_secs(seconds))?;
        }
        if let Some(bytes) = config.answer_bytes {
            layer = layer.answer_bytes(bytes)?;
        }
        if config.danger_allow_anonymous {
            layer = layer.danger_allow_anonymous();
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Result<String, String> {
        let config: TaskOwnerConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let layer = TaskOwnerLayer::try_from(config).map_err(|error| error.to_string())?;
        Ok(format!("{layer:?}"))
    }

    #[test]
    fn every_field_reaches_the_layer() {
        assert_eq!(
            build("{}").unwrap(),
            format!("{:?}", TaskOwnerLayer::in_memory())
        );
        for (json, shown) in [
            (r#"{"capacity":2000}"#, "capacity: 2000"),
            (r#"{"share":7}"#, "share: 7"),
            (r#"{"lifetime_seconds":77}"#, "lifetime: 77s"),
            (r#"{"answer_bytes":7777}"#, "answer_bytes: 7777"),
            (r#"{"call_limits":{"body_bytes":77}}"#, "body_bytes: 77"),
            (r#"{"danger_allow_anonymous":true}"#, "anonymous: true"),
        ] {
            let built = build(json).unwrap();
            assert!(built.contains(shown), "{json}: {built}");
        }
    }

    #[test]
    fn unknown_fields_and_bad_values_are_errors() {
        for (json, named) in [
            (r#"{"size":1}"#, "size"),
            (r#"{"capacity":5}"#, "`1000`"),
            (r#"{"lifetime_seconds":1}"#, "`1s`"),
            (r#"{"answer_bytes":1}"#, "`1`"),
            (r#"{"call_limits":{"body_bytes":0}}"#, "call_limits"),
        ] {
            let error = build(json).unwrap_err();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Answers, ArgumentLimits, Characters, Learning, OnChange, ValidateConfigError, ValidateLayer,
};

/// A [`ValidateLayer`] as a configuration file writes it; what is absent has its default.
///
/// ```
/// use bartizan_validate::{ValidateConfig, ValidateLayer};
/// let config: ValidateConfig = serde_json::from_str(r#"{
///     "limits": {"string_bytes": 10000},
///     "tools": {"add": {"schema": {"type": "object"}, "limits": {"depth": 2}}},
///     "on_change": "refuse"
/// }"#)?;
/// let layer = ValidateLayer::try_from(config)?;
/// assert!(serde_json::from_str::<ValidateConfig>(r#"{"limit": {}}"#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ValidateConfig {
    /// What arguments may measure that no other limits are set for.
    pub limits: LimitsConfig,
    /// What is set for tools, by their names.
    pub tools: BTreeMap<String, ToolConfig>,
    /// How schemas are learned from the server.
    pub learning: LearningConfig,
    /// What follows if a tool is not any more what it was pinned to.
    pub on_change: OnChangeConfig,
    /// Lets calls of tools pass by limits alone whose schema nobody knows.
    pub danger_unknown_tools: bool,
    /// How answers are judged by the schemas that tools declare for them; `None` if they are not.
    pub answers: Option<AnswersConfig>,
    /// What is looked for in arguments and answers (feature `screening`).
    #[cfg(feature = "screening")]
    pub screening: crate::ScreeningConfig,
}

/// What is set for one tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ToolConfig {
    /// The schema of its arguments, whatever the server says.
    pub schema: Option<Value>,
    /// The schema of its `structuredContent`, whatever the server says.
    pub output_schema: Option<Value>,
    /// What its arguments may measure.
    pub limits: Option<LimitsConfig>,
    /// What it is pinned to: `sha256:` and 64 hexadecimal digits.
    pub pin: Option<String>,
    /// Lets its calls pass by limits alone.
    pub danger_without_schema: bool,
    /// What is looked for in its arguments and answers, instead (feature `screening`).
    #[cfg(feature = "screening")]
    pub screening: Option<crate::ScreeningConfig>,
}

/// [`ArgumentLimits`] as a configuration file writes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Deepest nesting.
    pub depth: Option<usize>,
    /// Most members of one object.
    pub members: Option<usize>,
    /// Most elements of one array.
    pub elements: Option<usize>,
    /// Most values altogether.
    pub values: Option<usize>,
    /// Longest string, in bytes.
    pub string_bytes: Option<usize>,
    /// Longest name of a member, in bytes.
    pub name_bytes: Option<usize>,
    /// Least number.
    pub least_number: Option<f64>,
    /// Greatest number.
    pub most_number: Option<f64>,
    /// Refuses integers beyond ±(2^53−1).
    pub safe_integers: bool,
    /// Refuses line breaks and tabs.
    pub without_line_breaks: bool,
    /// Permits control characters.
    pub with_controls: bool,
    /// Permits what changes the direction of text.
    pub with_bidirectional: bool,
    /// Permits tag characters.
    pub with_invisible_tags: bool,
}

/// [`Learning`] as a configuration file writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LearningConfig {
    /// Never asks the server.
    pub off: bool,
    /// Longest time for all pages, in seconds.
    pub seconds: Option<u64>,
    /// How long a list is kept whose server does not say how long, in seconds.
    pub keep_seconds: Option<u64>,
    /// How long a list that can't be had anew is used beyond that, in seconds.
    pub stale_seconds: Option<u64>,
    /// Most bytes of all pages.
    pub bytes: Option<usize>,
    /// Most pages.
    pub pages: Option<usize>,
    /// Most tools.
    pub tools: Option<usize>,
}

/// [`OnChange`] as a configuration file writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnChangeConfig {
    /// `"report"`
    #[default]
    Report,
    /// `"refuse"`
    Refuse,
}

/// [`Answers`] as a configuration file writes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AnswersConfig {
    /// Withholds what does not fit, instead of noting it.
    pub refuse: bool,
    /// Most bytes of an answer in JSON, or of one event.
    pub bytes: Option<usize>,
}

impl TryFrom<AnswersConfig> for Answers {
    type Error = ValidateConfigError;

    fn try_from(config: AnswersConfig) -> Result<Self, ValidateConfigError> {
        let how = match config.refuse {
            true => Self::refuse(),
            false => Self::report(),
        };
        match config.bytes {
            Some(bytes) => how.bytes(bytes),
            None => Ok(how),
        }
    }
}

impl TryFrom<ValidateConfig> for ValidateLayer {
    type Error = ValidateConfigError;

    fn try_from(config: ValidateConfig) -> Result<Self, ValidateConfigError> {
        let mut layer = Self::new().limits(config.limits.try_into()?);
        layer = match config.learning.off {
            true => layer.without_learning(),
            false => layer.learning(config.learning.try_into()?),
        };
        if config.danger_unknown_tools {
            layer = layer.danger_unknown_tools();
        }
        layer = layer.on_change(match config.on_change {
            OnChangeConfig::Report => OnChange::Report,
            OnChangeConfig::Refuse => OnChange::Refuse,
        });
        if let Some(answers) = config.answers {
            layer = layer.answers(answers.try_into()?);
        }
        #[cfg(feature = "screening")]
        {
            layer = layer.screening(config.screening.try_into()?);
        }
        for (name, tool) in config.tools {
            #[cfg(feature = "screening")]
            if let Some(screening) = tool.screening {
                layer = layer.tool_screening(&name, screening.try_into()?);
            }
            if let Some(schema) = tool.output_schema {
                layer = layer.output_schema(&name, &schema.to_string())?;
            }
            if let Some(schema) = tool.schema {
                layer = layer.schema(&name, &schema.to_string())?;
            }
            if let Some(limits) = tool.limits {
                layer = layer.tool_limits(&name, limits.try_into()?);
            }
            if let Some(pin) = tool.pin {
                layer = layer.pin(&name, pin.parse()?);
            }
            if tool.danger_without_schema {
                layer = layer.danger_without_schema(&name);
            }
        }
        Ok(layer)
    }
}

impl TryFrom<LimitsConfig> for ArgumentLimits {
    type Error = ValidateConfigError;

    fn try_from(config: LimitsConfig) -> Result<Self, ValidateConfigError> {
        let mut limits = Self::new();
        for (value, set) in [
            (
                config.depth,
                Self::with_depth as fn(Self, usize) -> Result<_, _>,
            ),
            (config.members, Self::with_members),
            (config.elements, Self::with_elements),
            (config.values, Self::with_values),
            (config.string_bytes, Self::with_string_bytes),
            (config.name_bytes, Self::with_name_bytes),
        ] {
            if let Some(value) = value {
                limits = set(limits, value)?;
            }
        }
        let least = config.least_number.unwrap_or(f64::MIN);
        limits = limits.with_numbers(least, config.most_number.unwrap_or(f64::MAX))?;
        if config.safe_integers {
            limits = limits.with_safe_integers();
        }
        let mut characters = Characters::new();
        for (is_set, set) in [
            (
                config.without_line_breaks,
                Characters::without_line_breaks as fn(Characters) -> _,
            ),
            (config.with_controls, Characters::with_controls),
            (config.with_bidirectional, Characters::with_bidirectional),
            (config.with_invisible_tags, Characters::with_invisible_tags),
        ] {
            if is_set {
                characters = set(characters);
            }
        }
        Ok(limits.with_characters(characters))
    }
}

impl TryFrom<LearningConfig> for Learning {
    type Error = ValidateConfigError;

    fn try_from(config: LearningConfig) -> Result<Self, ValidateConfigError> {
        let mut how = Self::new();
        for (seconds, set) in [
            (
                config.seconds,
                Self::time as fn(Self, Duration) -> Result<_, _>,
            ),
            (config.keep_seconds, Self::keep),
            (config.stale_seconds, Self::stale),
        ] {
            if let Some(seconds) = seconds {
                how = set(how, Duration::from_secs(seconds))?;
            }
        }
        for (value, set) in [
            (config.bytes, Self::bytes as fn(Self, usize) -> Result<_, _>),
            (config.pages, Self::pages),
            (config.tools, Self::tools),
        ] {
            if let Some(value) = value {
                how = set(how, value)?;
            }
        }
        Ok(how)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(text: &str) -> Result<ValidateLayer, String> {
        let config: ValidateConfig =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        config
            .try_into()
            .map_err(|error: ValidateConfigError| error.to_string())
    }

    #[test]
    fn what_is_unsafe_or_misspelt_does_not_build_and_is_named() {
        for (text, named) in [
            (r#"{"limits":{"depht":1}}"#, "depht"),
            (r#"{"limits":{"depth":0}}"#, "depth `0`"),
            (
                r#"{"limits":{"least_number":2,"most_number":1}}"#,
                "`2 to 1`",
            ),
            (r#"{"learning":{"seconds":0}}"#, "time `0ns`"),
            (r#"{"learning":{"pages":0}}"#, "pages `0`"),
            (
                r#"{"tools":{"a":{"schema":{"type":"x"}}}}"#,
                "schema of tool `a`",
            ),
            (r#"{"tools":{"a":{"pin":"sha256:00"}}}"#, "`sha256:00`"),
            (
                r#"{"tools":{"a":{"limits":{"elements":99999999}}}}"#,
                "`99999999`",
            ),
            (r#"{"on_change":"ignore"}"#, "ignore"),
            (r#"{"answers":{"bytes":9}}"#, "answer bytes `9`"),
            (
                r#"{"tools":{"a":{"output_schema":{"type":"x"}}}}"#,
                "output schema of tool `a`",
            ),
        ] {
            let error = built(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        let all = r#"{
            "limits": {"members":1,"values":9,"name_bytes":9,"safe_integers":true,"without_line_breaks":true,
                "with_controls":true,"with_bidirectional":true,"with_invisible_tags":true},
            "learning": {"keep_seconds":1,"stale_seconds":0,"bytes":4096,"tools":3},
            "danger_unknown_tools": true,
            "tools": {"a":{"danger_without_schema":true,"output_schema":{}}},
            "answers": {"refuse":true,"bytes":4096}
        }"#;
        assert!(built(all).is_ok());
        assert!(built(r#"{"learning":{"off":true}}"#).is_ok());
    }
}

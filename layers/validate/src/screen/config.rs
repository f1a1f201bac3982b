use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Detector, OnFind, Screening};
use crate::ValidateConfigError;

/// [`Screening`] as a configuration file writes it: what follows if a detector finds something, by the detector's
/// [name](Detector::name). What is not named is not looked for.
///
/// ```
/// use bartizan_validate::{Screening, ScreeningConfig};
/// let config: ScreeningConfig = serde_json::from_str(
///     r#"{"arguments": {"sql": "report", "metadata": "refuse"}, "answers": {"secret": "refuse"}}"#,
/// )?;
/// let screening = Screening::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ScreeningConfig {
    /// In arguments.
    pub arguments: BTreeMap<String, OnFindConfig>,
    /// In answers.
    pub answers: BTreeMap<String, OnFindConfig>,
}

/// [`OnFind`] as a configuration file writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnFindConfig {
    /// `"ignore"`
    #[default]
    Ignore,
    /// `"report"`
    Report,
    /// `"refuse"`
    Refuse,
}

impl From<OnFindConfig> for OnFind {
    fn from(config: OnFindConfig) -> Self {
        match config {
            OnFindConfig::Ignore => Self::Ignore,
            OnFindConfig::Report => Self::Report,
            OnFindConfig::Refuse => Self::Refuse,
        }
    }
}

impl TryFrom<ScreeningConfig> for Screening {
    type Error = ValidateConfigError;

    fn try_from(config: ScreeningConfig) -> Result<Self, ValidateConfigError> {
        let mut screening = Self::new();
        for (name, then) in config.arguments {
            screening = screening.arguments(detector(&name)?, then.into());
        }
        for (name, then) in config.answers {
            screening = screening.answers(detector(&name)?, then.into());
        }
        Ok(screening)
    }
}

fn detector(name: &str) -> Result<Detector, ValidateConfigError> {
    let unknown = || ValidateConfigError::new("screening", name, "is no detector");
    Detector::from_name(name).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ValidateConfig, ValidateLayer};

    fn screening(text: &str) -> Result<Screening, String> {
        let config: ScreeningConfig =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        config
            .try_into()
            .map_err(|error: ValidateConfigError| error.to_string())
    }

    #[test]
    fn a_file_says_what_the_builder_says() {
        for detector in Detector::ALL {
            for (name, then) in [
                ("ignore", OnFind::Ignore),
                ("report", OnFind::Report),
                ("refuse", OnFind::Refuse),
            ] {
                let text = |field| format!(r#"{{"{field}":{{"{}":"{name}"}}}}"#, detector.name());
                let of_arguments = Screening::new().arguments(detector, then);
                assert!(screening(&text("arguments")) == Ok(of_arguments));
                let of_answers = Screening::new().answers(detector, then);
                assert!(screening(&text("answers")) == Ok(of_answers));
            }
        }
        assert!(screening("{}") == Ok(Screening::new()));
    }

    #[test]
    fn what_is_misspelt_does_not_build_and_is_named() {
        for (text, named) in [
            (r#"{"argument":{}}"#, "argument"),
            (r#"{"arguments":{"SQL":"report"}}"#, "screening `SQL`"),
            (r#"{"answers":{"sqli":"refuse"}}"#, "screening `sqli`"),
            (r#"{"answers":{"sql":"block"}}"#, "block"),
        ] {
            let error = screening(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        for text in [
            r#"{"screening":{"answers":{"sqli":"refuse"}}}"#,
            r#"{"tools":{"a":{"screening":{"arguments":{"sqli":"refuse"}}}}}"#,
        ] {
            let config: ValidateConfig = serde_json::from_str(text).unwrap();
            let error = ValidateLayer::try_from(config).unwrap_err().to_string();
            assert_eq!(error, "screening `sqli` is no detector");
        }
    }
}

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{CorsConfigError, CorsLayer};

/// A [`CorsLayer`] as it stands in a configuration file; unknown fields are refused.
///
/// ```
/// use bartizan_cors::{CorsConfig, CorsLayer};
/// let config: CorsConfig = serde_json::from_str(
///     r#"{"allow_origins": ["https://app.example.com"], "expose_headers": ["x-cost"]}"#,
/// )?;
/// let layer = CorsLayer::try_from(config)?;
/// assert!(layer.allows("https://app.example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CorsConfig {
    /// As for [`CorsLayer::allow_origin`].
    pub allow_origins: Vec<String>,
    /// As [`CorsLayer::allow_loopback`].
    pub allow_loopback: bool,
    /// As for [`CorsLayer::methods`]; absent means `POST, GET, DELETE`.
    pub methods: Option<Vec<String>>,
    /// As for [`CorsLayer::allow_headers`].
    pub allow_headers: Vec<String>,
    /// As for [`CorsLayer::expose_headers`].
    pub expose_headers: Vec<String>,
    /// As for [`CorsLayer::max_age`], in seconds, 0 to 86400; absent means 3600.
    pub max_age_seconds: Option<u64>,
    /// As [`CorsLayer::allow_credentials`].
    pub allow_credentials: bool,
    /// As [`CorsLayer::allow_private_network`].
    pub allow_private_network: bool,
}

impl TryFrom<CorsConfig> for CorsLayer {
    type Error = CorsConfigError;

    fn try_from(config: CorsConfig) -> Result<Self, CorsConfigError> {
        let mut layer = Self::new()
            .allow_origins(config.allow_origins)?
            .allow_headers(config.allow_headers)?
            .expose_headers(config.expose_headers)?;
        if config.allow_loopback {
            layer = layer.allow_loopback()?;
        }
        if let Some(methods) = config.methods {
            layer = layer.methods(methods)?;
        }
        if let Some(seconds) = config.max_age_seconds {
            layer = layer.max_age(Duration::from_secs(seconds))?;
        }
        if config.allow_credentials {
            layer = layer.allow_credentials()?;
        }
        if config.allow_private_network {
            layer = layer.allow_private_network();
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Result<CorsLayer, String> {
        let config: CorsConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        CorsLayer::try_from(config).map_err(|e| e.to_string())
    }

    /// Settings differ from one another only by what the layer would print of itself.
    fn same(one: &CorsLayer, other: &CorsLayer) -> bool {
        format!("{one:?}") == format!("{other:?}")
    }

    #[test]
    fn an_empty_configuration_is_the_new_layer() {
        assert!(same(&build("{}").unwrap(), &CorsLayer::new()));
    }

    #[test]
    fn every_field_reaches_the_layer() {
        let minute = Duration::from_secs(60);
        let new = CorsLayer::new;
        for (json, built) in [
            (
                r#"{"allow_origins":["https://a.example"]}"#,
                new().allow_origin("https://a.example"),
            ),
            (r#"{"allow_loopback":true}"#, new().allow_loopback()),
            (r#"{"methods":["POST"]}"#, new().methods(["POST"])),
            (r#"{"allow_headers":["x-a"]}"#, new().allow_headers(["x-a"])),
            (
                r#"{"expose_headers":["x-a"]}"#,
                new().expose_headers(["x-a"]),
            ),
            (r#"{"max_age_seconds":60}"#, new().max_age(minute)),
            (r#"{"allow_credentials":true}"#, new().allow_credentials()),
            (
                r#"{"allow_private_network":true}"#,
                Ok(new().allow_private_network()),
            ),
        ] {
            let layer = build(json).unwrap();
            assert!(same(&layer, &built.unwrap()), "{json}");
            assert!(!same(&layer, &new()), "{json}");
        }
    }

    #[test]
    fn unknown_fields_and_bad_values_are_errors() {
        for bad in [
            r#"{"origin":["https://a.example"]}"#,
            r#"{"allow_origins":["*"]}"#,
            r#"{"methods":[]}"#,
            r#"{"max_age_seconds":86401}"#,
            r#"{"max_age_seconds":18446744073709551615}"#,
            r#"{"max_age_seconds":-1}"#,
            r#"{"allow_loopback":true,"allow_credentials":true}"#,
        ] {
            assert!(build(bad).is_err(), "{bad}");
        }
    }
}

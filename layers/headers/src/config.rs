use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{HeadersConfigError, Hsts, SecurityHeadersLayer};

/// A [`SecurityHeadersLayer`] as it stands in a configuration file; unknown fields are refused.
///
/// ```
/// use bartizan_headers::{SecurityHeadersConfig, SecurityHeadersLayer};
/// let config: SecurityHeadersConfig = serde_json::from_str(
///     r#"{"profile": "mcp", "overriding": {"x-frame-options": "DENY"}, "removing": ["x-node"]}"#,
/// )?;
/// let layer = SecurityHeadersLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecurityHeadersConfig {
    /// Where to start from.
    pub profile: Profile,
    /// As for [`SecurityHeadersLayer::set_if_absent`], by name.
    pub set_if_absent: BTreeMap<String, String>,
    /// As for [`SecurityHeadersLayer::overriding`], by name.
    pub overriding: BTreeMap<String, String>,
    /// As for [`SecurityHeadersLayer::removing`].
    pub removing: Vec<String>,
    /// As for [`SecurityHeadersLayer::danger_leave`].
    pub danger_leave: Vec<String>,
    /// As for [`SecurityHeadersLayer::hsts`]; absent means the profile's.
    pub hsts: Option<Hsts>,
    /// As [`SecurityHeadersLayer::tls_terminated_here`].
    pub tls_terminated_here: bool,
    /// As [`SecurityHeadersLayer::danger_keep_inner_5xx_bodies`].
    pub danger_keep_inner_5xx_bodies: bool,
}

/// The set of headers to start from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Profile {
    /// [`SecurityHeadersLayer::mcp`].
    #[default]
    Mcp,
    /// [`SecurityHeadersLayer::html`].
    Html,
    /// [`SecurityHeadersLayer::classic`].
    Classic,
}

impl TryFrom<SecurityHeadersConfig> for SecurityHeadersLayer {
    type Error = HeadersConfigError;

    fn try_from(config: SecurityHeadersConfig) -> Result<Self, HeadersConfigError> {
        let mut layer = match config.profile {
            Profile::Mcp => Self::mcp(),
            Profile::Html => Self::html(),
            Profile::Classic => Self::classic(),
        };
        for (name, value) in config.set_if_absent {
            layer = layer.set_if_absent(name, value)?;
        }
        for (name, value) in config.overriding {
            layer = layer.overriding(name, value)?;
        }
        for name in config.removing {
            layer = layer.removing(name)?;
        }
        for name in config.danger_leave {
            layer = layer.danger_leave(name)?;
        }
        if let Some(hsts) = config.hsts {
            layer = layer.hsts(hsts)?;
        }
        if config.tls_terminated_here {
            layer = layer.tls_terminated_here();
        }
        if config.danger_keep_inner_5xx_bodies {
            layer = layer.danger_keep_inner_5xx_bodies();
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn build(json: &str) -> Result<SecurityHeadersLayer, String> {
        let config: SecurityHeadersConfig =
            serde_json::from_str(json).map_err(|e| e.to_string())?;
        SecurityHeadersLayer::try_from(config).map_err(|e| e.to_string())
    }

    #[test]
    fn every_field_reaches_the_layer() {
        let mcp = SecurityHeadersLayer::mcp;
        let hour = Hsts::new().max_age(Duration::from_secs(3600));
        for (json, built) in [
            ("{}", Ok(mcp())),
            (r#"{"profile":"html"}"#, Ok(SecurityHeadersLayer::html())),
            (
                r#"{"profile":"classic"}"#,
                Ok(SecurityHeadersLayer::classic()),
            ),
            (
                r#"{"set_if_absent":{"x-a":"b"}}"#,
                mcp().set_if_absent("x-a", "b"),
            ),
            (
                r#"{"overriding":{"x-a":"b"}}"#,
                mcp().overriding("x-a", "b"),
            ),
            (r#"{"removing":["x-a"]}"#, mcp().removing("x-a")),
            (
                r#"{"danger_leave":["server"]}"#,
                mcp().danger_leave("server"),
            ),
            (r#"{"hsts":{"max_age_seconds":3600}}"#, mcp().hsts(hour)),
            (
                r#"{"hsts":{"include_subdomains":false}}"#,
                mcp().hsts(Hsts::new().this_host_only()),
            ),
            (
                r#"{"hsts":{"preload":true}}"#,
                mcp().hsts(Hsts::new().preload()),
            ),
            (
                r#"{"hsts":{"danger_forget":true}}"#,
                mcp().hsts(Hsts::danger_forget()),
            ),
            (
                r#"{"tls_terminated_here":true}"#,
                Ok(mcp().tls_terminated_here()),
            ),
            (
                r#"{"danger_keep_inner_5xx_bodies":true}"#,
                Ok(mcp().danger_keep_inner_5xx_bodies()),
            ),
        ] {
            // Layers are compared by what they would print of themselves.
            let (layer, built) = (
                format!("{:?}", build(json)),
                format!("{:?}", Ok::<_, String>(built.unwrap())),
            );
            assert_eq!(layer, built, "{json}");
            assert!(
                json == "{}" || layer != format!("{:?}", build("{}")),
                "{json}"
            );
        }
    }

    #[test]
    fn unknown_fields_and_contradictions_are_errors() {
        for bad in [
            r#"{"profil":"mcp"}"#,
            r#"{"profile":"Mcp"}"#,
            r#"{"hsts":{"maxage":1}}"#,
            r#"{"hsts":{"max_age_seconds":0}}"#,
            r#"{"hsts":{"max_age_seconds":-1}}"#,
            r#"{"hsts":{"max_age_seconds":9,"danger_forget":true}}"#,
            r#"{"hsts":{},"danger_leave":["strict-transport-security"]}"#,
            r#"{"set_if_absent":{"x-a":"b","X-A":"c"}}"#,
            r#"{"set_if_absent":{"x-a":"b"},"removing":["x-a"]}"#,
            r#"{"overriding":{"set-cookie":"a=b"}}"#,
            r#"{"removing":["www-authenticate"]}"#,
        ] {
            assert!(build(bad).is_err(), "{bad}");
        }
    }
}

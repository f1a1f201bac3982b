use serde::{Deserialize, Serialize};

use crate::{ForwardedHeader, NetworkConfigError, NetworkLayer};

/// The settings of a [`NetworkLayer`] as a file holds them; unknown fields are refused.
///
/// ```
/// use bartizan_network::{NetworkConfig, NetworkLayer};
/// let config: NetworkConfig = serde_json::from_str(
///     r#"{ "allow_hosts": ["mcp.example.com"], "trust_proxies": ["10.0.0.0/8"] }"#,
/// )?;
/// let layer = NetworkLayer::try_from(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// See [`NetworkLayer::allow_host`]; absent: loopback hosts.
    pub allow_hosts: Option<Vec<String>>,
    /// See [`NetworkLayer::danger_allow_any_host`].
    pub danger_allow_any_host: bool,
    /// See [`NetworkLayer::trust_proxy`].
    pub trust_proxies: Vec<String>,
    /// See [`NetworkLayer::forwarded_header`]: `x-forwarded-for` or `forwarded`.
    pub forwarded_header: Option<ForwardedHeader>,
    /// See [`NetworkLayer::tls_terminated_here`].
    pub tls_terminated_here: bool,
}

impl TryFrom<NetworkConfig> for NetworkLayer {
    type Error = NetworkConfigError;

    /// Builds the layer; besides what its methods refuse, an empty `allow_hosts`.
    fn try_from(config: NetworkConfig) -> Result<Self, NetworkConfigError> {
        let error = |setting, problem| Err(NetworkConfigError::new("setting", setting, problem));
        if config.allow_hosts.as_ref().is_some_and(Vec::is_empty) {
            return error("allow_hosts", "is empty, so that no host is admitted");
        }
        let mut layer = Self::new();
        for host in config.allow_hosts.iter().flatten() {
            layer = layer.allow_host(host)?;
        }
        if config.danger_allow_any_host {
            layer = layer.danger_allow_any_host()?;
        }
        for proxy in &config.trust_proxies {
            layer = layer.trust_proxy(proxy)?;
        }
        if let Some(header) = config.forwarded_header {
            layer = layer.forwarded_header(header)?;
        }
        if config.tls_terminated_here {
            layer = layer.tls_terminated_here();
        }
        Ok(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(json: &str) -> Result<NetworkLayer, String> {
        let config: NetworkConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        config
            .try_into()
            .map_err(|e: NetworkConfigError| e.to_string())
    }

    #[test]
    fn every_setting_reaches_the_layer() {
        let from_file = build(
            r#"{ "allow_hosts": ["a.example"], "trust_proxies": ["10.0.0.1"],
                 "forwarded_header": "forwarded", "tls_terminated_here": true }"#,
        );
        let by_hand = NetworkLayer::new()
            .allow_host("a.example")
            .and_then(|layer| layer.trust_proxy("10.0.0.1"))
            .and_then(|layer| layer.forwarded_header(ForwardedHeader::Forwarded))
            .unwrap()
            .tls_terminated_here();
        assert_eq!(format!("{:?}", from_file.unwrap()), format!("{by_hand:?}"));
        assert_eq!(
            format!("{:?}", build("{}").unwrap()),
            format!("{:?}", NetworkLayer::new())
        );
        assert!(build(r#"{ "danger_allow_any_host": true }"#).is_ok());
    }

    #[test]
    fn a_contradiction_or_an_unknown_field_names_itself() {
        for (json, named) in [
            (r#"{ "allowed_host": ["a.example"] }"#, "allowed_host"),
            (r#"{ "allow_hosts": [] }"#, "allow_hosts"),
            (r#"{ "allow_hosts": ["a.example/x"] }"#, "a.example/x"),
            (
                r#"{ "allow_hosts": ["a.example"], "danger_allow_any_host": true }"#,
                "listed",
            ),
            (r#"{ "trust_proxies": ["0.0.0.0/0"] }"#, "0.0.0.0/0"),
            (r#"{ "forwarded_header": "forwarded" }"#, "forwarded_header"),
            (
                r#"{ "forwarded_header": "x-real-ip", "trust_proxies": ["10.0.0.1"] }"#,
                "x-real-ip",
            ),
        ] {
            let error = build(json).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}

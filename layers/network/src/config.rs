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
    /// See [`NetworkLayer::correlation_id_header`].
    pub correlation_id_header: Option<String>,
    /// See [`NetworkLayer::client_cert_header`].
    pub client_cert_header: bool,
    /// See [`NetworkLayer::tls_terminated_here`].
    pub tls_terminated_here: bool,
    /// See [`NetworkLayer::require_tls`].
    pub require_tls: bool,
    /// See [`NetworkLayer::danger_allow_plain_loopback`].
    pub danger_allow_plain_loopback: bool,
    /// See [`NetworkLayer::allow_network`]; absent: every network that is not denied.
    pub allow_networks: Option<Vec<String>>,
    /// See [`NetworkLayer::deny_network`].
    pub deny_networks: Vec<String>,
}

impl TryFrom<NetworkConfig> for NetworkLayer {
    type Error = NetworkConfigError;

    /// Builds the layer; besides what its methods refuse, an empty `allow_hosts` or
    /// `allow_networks`.
    fn try_from(config: NetworkConfig) -> Result<Self, NetworkConfigError> {
        let error = |setting, problem| Err(NetworkConfigError::new("setting", setting, problem));
        if config.allow_hosts.as_ref().is_some_and(Vec::is_empty) {
            return error("allow_hosts", "is empty, so that no host is admitted");
        }
        if config.allow_networks.as_ref().is_some_and(Vec::is_empty) {
            return error("allow_networks", "is empty, so that no address is admitted");
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
        if let Some(header) = &config.correlation_id_header {
            layer = layer.correlation_id_header(header)?;
        }
        if config.client_cert_header {
            layer = layer.client_cert_header()?;
        }
        if config.tls_terminated_here {
            layer = layer.tls_terminated_here();
        }
        if config.require_tls {
            layer = layer.require_tls()?;
        }
        if config.danger_allow_plain_loopback {
            layer = layer.danger_allow_plain_loopback()?;
        }
        for network in config.allow_networks.iter().flatten() {
            layer = layer.allow_network(network)?;
        }
        for network in &config.deny_networks {
            layer = layer.deny_network(network)?;
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
                 "forwarded_header": "forwarded", "tls_terminated_here": true,
                 "correlation_id_header": "x-request-id", "require_tls": true,
                 "client_cert_header": true,
                 "danger_allow_plain_loopback": true,
                 "allow_networks": ["192.0.2.0/24"], "deny_networks": ["192.0.2.7"] }"#,
        );
        let by_hand = NetworkLayer::new()
            .allow_host("a.example")
            .and_then(|layer| layer.trust_proxy("10.0.0.1"))
            .and_then(|layer| layer.forwarded_header(ForwardedHeader::Forwarded))
            .and_then(|layer| layer.correlation_id_header("x-request-id"))
            .and_then(NetworkLayer::client_cert_header)
            .and_then(|layer| layer.tls_terminated_here().require_tls())
            .and_then(NetworkLayer::danger_allow_plain_loopback)
            .and_then(|layer| layer.allow_network("192.0.2.0/24"))
            .and_then(|layer| layer.deny_network("192.0.2.7"))
            .unwrap();
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
                r#"{ "correlation_id_header": "x-request-id" }"#,
                "correlation_id_header",
            ),
            (r#"{ "require_tls": true }"#, "require_tls"),
            (
                r#"{ "danger_allow_plain_loopback": true, "tls_terminated_here": true }"#,
                "danger_allow_plain_loopback",
            ),
            (r#"{ "allow_networks": [] }"#, "allow_networks"),
            (r#"{ "allow_networks": ["10.0.0.1/8"] }"#, "10.0.0.1/8"),
            (
                r#"{ "allow_networks": ["10.1.0.0/16"], "deny_networks": ["10.0.0.0/8"] }"#,
                "10.0.0.0/8",
            ),
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

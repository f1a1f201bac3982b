use bartizan_fetch::{WebUrl, unfetchable};
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{MetadataService, Resource, TokenConfigError};

/// What the metadata says besides what the resource is.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "named as in the document")]
pub struct MetadataSettings<'a> {
    pub authorization_servers: Vec<&'a str>,
    pub scopes_supported: &'a [String],
    pub resource_name: Option<&'a str>,
    pub resource_documentation: Option<&'a str>,
    /// `dpop_signing_alg_values_supported`, and `dpop_bound_access_tokens_required` (RFC 9449 §10.2),
    /// where proofs are judged.
    pub dpop: Option<(Vec<&'a str>, bool)>,
    /// `tls_client_certificate_bound_access_tokens`: whether tokens are taken that are bound to the
    /// certificate of a connection (RFC 8705).
    pub certificate_bound: bool,
    /// URLs of servers that may be named though they are reached without TLS: those of their scheme, host
    /// and port.
    pub danger_allow_http: Vec<&'a str>,
}

/// The metadata document of the protected resource (RFC 9728), made once from configuration: no
/// request has a part in it (MD-4).
#[derive(Debug, Clone)]
pub struct ProtectedResourceMetadata {
    resource: Resource,
    json: Bytes,
}

impl ProtectedResourceMetadata {
    /// Makes the document.
    ///
    /// # Errors
    ///
    /// If one of its URLs is none.
    pub fn new(
        resource: &Resource,
        settings: &MetadataSettings<'_>,
    ) -> Result<Self, TokenConfigError> {
        let origin = |url| WebUrl::parse(url).map(|url| url.origin());
        for server in &settings.authorization_servers {
            let mut dangerous = settings.danger_allow_http.iter().copied();
            let is_permitted = dangerous.any(|url| origin(url) == origin(server));
            if let Some(problem) = unfetchable(server, is_permitted) {
                let setting = "authorization_servers";
                return Err(TokenConfigError::new(setting, *server, problem));
            }
        }
        let servers = settings.authorization_servers.clone();
        let mut members = Map::new();
        members.insert("resource".into(), resource.identifier.clone().into());
        members.insert("authorization_servers".into(), servers.into());
        members.insert("bearer_methods_supported".into(), vec!["header"].into());
        if !settings.scopes_supported.is_empty() {
            let scopes = settings.scopes_supported;
            members.insert("scopes_supported".into(), scopes.into());
        }
        if let Some(name) = settings.resource_name.filter(|name| !name.is_empty()) {
            members.insert("resource_name".into(), name.into());
        }
        if let Some((algorithms, is_required)) = &settings.dpop {
            let name = "dpop_signing_alg_values_supported";
            members.insert(name.into(), algorithms.clone().into());
            if *is_required {
                members.insert("dpop_bound_access_tokens_required".into(), true.into());
            }
        }
        if settings.certificate_bound {
            let name = "tls_client_certificate_bound_access_tokens";
            members.insert(name.into(), true.into());
        }
        if let Some(url) = settings.resource_documentation {
            WebUrl::parse(url).ok_or_else(|| {
                TokenConfigError::new("resource_documentation", url, "is not a plain URL")
            })?;
            members.insert("resource_documentation".into(), url.into());
        }
        Ok(Self {
            resource: resource.clone(),
            json: Value::Object(members).to_string().into(),
        })
    }

    /// The resource identifier.
    pub fn resource(&self) -> &str {
        &self.resource.identifier
    }

    /// Where the document is, as challenges say (MD-2).
    pub fn url(&self) -> &str {
        &self.resource.metadata_url
    }

    /// The path of that URL, where the document has to be served.
    pub fn path(&self) -> &str {
        &self.resource.metadata_path
    }

    /// The document.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// A service that answers with the document at its path, and 404 elsewhere.
    pub fn service(&self) -> MetadataService {
        MetadataService::new(self.path(), self.json.clone())
    }

    /// A router with the document at its path, and 404 for everything else under `/.well-known`
    /// (AC-11).
    #[cfg(feature = "axum")]
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        axum::Router::new()
            .route_service("/.well-known/{*document}", self.service())
            .route_service(self.path(), self.service())
    }
}

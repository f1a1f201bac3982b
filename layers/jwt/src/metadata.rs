use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{
    JwtConfig, JwtConfigError, MetadataService,
    resource::Resource,
    url::{WebUrl, check_fetchable},
};

/// The metadata document of the protected resource (RFC 9728), made once from configuration: no
/// request has a part in it (MD-4).
#[derive(Debug, Clone)]
pub struct ProtectedResourceMetadata {
    resource: Resource,
    json: Bytes,
}

impl ProtectedResourceMetadata {
    pub(crate) fn new(resource: &Resource, config: &JwtConfig) -> Result<Self, JwtConfigError> {
        let servers = match config.authorization_servers.as_slice() {
            [] => config.issuers.iter().map(|i| i.issuer.clone()).collect(),
            servers => servers.to_vec(),
        };
        let allow_http = config.issuers.iter().any(|i| i.danger_allow_http_issuer);
        for server in &servers {
            check_fetchable("authorization_servers", server, allow_http)?;
        }
        let mut members = Map::new();
        members.insert("resource".into(), resource.identifier.clone().into());
        members.insert("authorization_servers".into(), servers.into());
        members.insert("bearer_methods_supported".into(), vec!["header"].into());
        if !config.scopes_supported.is_empty() {
            let scopes = config.scopes_supported.clone();
            members.insert("scopes_supported".into(), scopes.into());
        }
        if let Some(name) = config
            .resource_name
            .as_deref()
            .filter(|name| !name.is_empty())
        {
            members.insert("resource_name".into(), name.into());
        }
        if let Some(url) = &config.resource_documentation {
            WebUrl::parse(url).ok_or_else(|| {
                JwtConfigError::new("resource_documentation", url, "is not a plain URL")
            })?;
            members.insert("resource_documentation".into(), url.as_str().into());
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

    /// See [`JwtVerifier::metadata_router`](crate::JwtVerifier::metadata_router).
    #[cfg(feature = "axum")]
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        axum::Router::new()
            .route_service("/.well-known/{*document}", self.service())
            .route_service(self.path(), self.service())
    }
}

use bartizan_fetch::WebUrl;
use http::Uri;

use crate::TokenConfigError;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The identifier of the protected resource, and where its metadata is (MD-2, MD-3).
///
/// Made from configuration alone: nothing that a request says has a part in it (MD-4).
#[derive(Debug, Clone)]
pub struct Resource {
    /// The identifier, its scheme and host in canonical form.
    pub identifier: String,
    /// Where its metadata is.
    pub metadata_url: String,
    /// The path of that URL.
    pub metadata_path: String,
}

impl Resource {
    /// The resource of this URL.
    ///
    /// # Errors
    ///
    /// If it is no plain https URL, or no route could carry its metadata.
    pub fn new(url: &str) -> Result<Self, TokenConfigError> {
        let error = |problem| TokenConfigError::new("resource", url, problem);
        let parsed = WebUrl::parse(url).ok_or(error("is not a plain https URL"))?;
        if !parsed.is_https && !parsed.is_loopback() {
            return Err(error("is not https"));
        }
        if parsed.query.is_some() {
            return Err(error("has a query"));
        }
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()+,;=@/".contains(&b);
        if !parsed.path.bytes().all(is_plain) {
            return Err(error("has a character in its path that no route can carry"));
        }
        let origin = parsed.origin();
        let path = if parsed.path == "/" { "" } else { parsed.path };
        let metadata_url = format!("{origin}{WELL_KNOWN}{path}");
        metadata_url
            .parse::<Uri>()
            .map_err(|_| error("is not a URL"))?;
        Ok(Self {
            identifier: format!("{origin}{}", parsed.path),
            metadata_url,
            metadata_path: format!("{WELL_KNOWN}{path}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn md_2_the_well_known_name_is_inserted_between_host_and_path() {
        for (resource, metadata) in [
            (
                "https://h.example/public/mcp",
                "https://h.example/.well-known/oauth-protected-resource/public/mcp",
            ),
            (
                "https://h.example",
                "https://h.example/.well-known/oauth-protected-resource",
            ),
            (
                "https://h.example/",
                "https://h.example/.well-known/oauth-protected-resource",
            ),
            (
                "HTTPS://H.example:443/mcp/",
                "https://h.example/.well-known/oauth-protected-resource/mcp/",
            ),
            (
                "http://127.0.0.1:8080/mcp",
                "http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp",
            ),
        ] {
            assert_eq!(Resource::new(resource).unwrap().metadata_url, metadata);
        }
    }

    #[test]
    fn resources_that_are_no_safe_identifiers_do_not_build() {
        for bad in [
            "",
            "mcp",
            "api://mcp",
            "http://h.example/mcp",
            "https://h.example/mcp?x=1",
            "https://h.example/{x}",
            "https://h.example/*x",
            "https://h.example/:x",
            "https://h.example/a\"b",
            "https://u@h.example/",
        ] {
            assert!(Resource::new(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_resource_that_builds_has_a_path_that_can_be_served(path in "(/[!-~]{0,8}){0,4}") {
            if let Ok(resource) = Resource::new(&format!("https://h.example{path}")) {
                let request: Uri = resource.metadata_url.parse().unwrap();
                prop_assert_eq!(request.path(), &resource.metadata_path);
                #[cfg(feature = "axum")]
                let _ = axum::Router::<()>::new()
                    .route("/.well-known/{*document}", axum::routing::get(|| async {}))
                    .route(&resource.metadata_path, axum::routing::get(|| async {}));
            }
        }
    }
}

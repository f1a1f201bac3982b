use bartizan_fetch::WebUrl;
use bartizan_token::json;
use serde_json::Value;

/// Where an issuer's metadata may be: RFC 8414 first, then OpenID Connect Discovery with the path
/// inserted and appended, as MCP clients look for it.
pub(super) fn candidates(issuer: &str) -> Vec<String> {
    let Some(url) = WebUrl::parse(issuer) else {
        return Vec::new();
    };
    let (origin, path) = (url.origin(), url.path.strip_suffix('/').unwrap_or(url.path));
    let mut urls = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
    ];
    if !path.is_empty() {
        urls.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    urls
}

/// The `jwks_uri` of a metadata document that is this issuer's own (RFC 8414 §3.3).
pub(super) fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, &'static str> {
    let document = json::object(document)?;
    match document.get("issuer") {
        Some(Value::String(theirs)) if theirs == issuer => {}
        _ => return Err("it names another issuer"),
    }
    match document.get("jwks_uri") {
        Some(Value::String(uri)) => Ok(uri.clone()),
        _ => Err("it names no jwks_uri"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_names_are_inserted_before_the_path() {
        assert_eq!(
            candidates("https://auth.example.com/tenant/"),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server/tenant",
                "https://auth.example.com/.well-known/openid-configuration/tenant",
                "https://auth.example.com/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(
            candidates("https://auth.example.com/"),
            [
                "https://auth.example.com/.well-known/oauth-authorization-server",
                "https://auth.example.com/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn tv_13_metadata_of_another_issuer_is_not_used() {
        let issuer = "https://auth.example.com";
        let document = |theirs| format!(r#"{{"issuer":{theirs},"jwks_uri":"https://a/k"}}"#);
        assert!(jwks_uri(document(r#""https://auth.example.com""#).as_bytes(), issuer).is_ok());
        for theirs in [
            r#""https://auth.example.com/""#,
            r#""https://evil.example""#,
            "null",
            r#"["https://auth.example.com"]"#,
        ] {
            assert!(
                jwks_uri(document(theirs).as_bytes(), issuer).is_err(),
                "{theirs}"
            );
        }
        assert!(jwks_uri(br#"{"jwks_uri":"https://a/k"}"#, issuer).is_err());
        assert!(jwks_uri(br#"{"issuer":"https://auth.example.com"}"#, issuer).is_err());
    }
}

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::AuditConfigError;

/// Where the correlation id is returned unless another name is chosen.
pub(crate) const DEFAULT: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that mean something to clients, proxies or other layers.
const TAKEN: &[&str] = &[
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "host",
    "keep-alive",
    "location",
    "mcp-protocol-version",
    "mcp-session-id",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
];

pub(crate) fn parse(name: &str) -> Result<HeaderName, AuditConfigError> {
    let error = |problem: &str| AuditConfigError::new("correlation_header", name, problem);
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| error("is not the name of a header"))?;
    let known = parsed.as_str();
    if TAKEN.contains(&known) || known.starts_with("access-control-") {
        return Err(error("is a header with another meaning"));
    }
    Ok(parsed)
}

/// Replaces whatever an inner service said. An answer that has no room for one more header keeps
/// what it has.
pub(crate) fn set(headers: &mut HeaderMap, name: &HeaderName, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        let _ = headers.try_insert(name.clone(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_a_meaning_of_its_own_is_refused_by_name() {
        for name in [
            "Set-Cookie",
            "access-control-allow-origin",
            "a b",
            "",
            "x\r\ny",
        ] {
            let error = parse(name).unwrap_err().to_string();
            assert!(error.starts_with("correlation_header `"), "{error}");
            assert!(!error.contains('\n'));
        }
        assert_eq!(parse("X-Correlation-Id").unwrap(), "x-correlation-id");
    }

    #[test]
    fn a_full_header_map_is_left_as_it_is() {
        let mut headers = HeaderMap::new();
        for index in 0..40_000 {
            let name: HeaderName = format!("x-{index}").parse().unwrap();
            if headers.try_insert(name, DEFAULT.into()).is_err() {
                break;
            }
        }
        let full = headers.len();
        assert!(full < 40_000);
        set(&mut headers, &DEFAULT, "id");
        assert_eq!(headers.len(), full);
    }
}

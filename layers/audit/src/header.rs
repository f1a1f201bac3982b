use http::{HeaderMap, HeaderName, HeaderValue};

use crate::AuditConfigError;

/// Where the correlation id is returned unless another name is chosen.
pub(crate) const DEFAULT: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that mean something to clients, proxies or other layers.
const TAKEN: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "baggage",
    "authentication-info",
    "authorization",
    "cache-control",
    "clear-site-data",
    "client-cert",
    "client-cert-chain",
    "connection",
    "cookie",
    "date",
    "dpop",
    "dpop-nonce",
    "edge-control",
    "etag",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "mcp-protocol-version",
    "mcp-session-id",
    "origin",
    "origin-agent-cluster",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "server-timing",
    "service-worker-allowed",
    "set-cookie",
    "sourcemap",
    "strict-transport-security",
    "surrogate-control",
    "te",
    "timing-allow-origin",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-accel-buffering",
    "x-accel-expires",
    "x-accel-redirect",
    "x-api-key",
    "x-content-type-options",
    "x-dns-prefetch-control",
    "x-frame-options",
    "x-permitted-cross-domain-policies",
    "x-powered-by",
    "x-robots-tag",
    "x-sendfile",
    "x-ua-compatible",
    "x-xss-protection",
];

/// Beginnings of such names.
const TAKEN_FAMILIES: &[&str] = &[
    "access-control-",
    "content-",
    "cross-origin-",
    "mcp-param-",
    "proxy-",
    "ratelimit",
    "sec-",
    "x-forwarded-",
    "x-ratelimit",
];

pub(crate) fn parse(name: &str) -> Result<HeaderName, AuditConfigError> {
    let error = |problem: &str| AuditConfigError::new("correlation_header", name, problem);
    let parsed: HeaderName = name
        .parse()
        .map_err(|_| error("is not the name of a header"))?;
    let known = parsed.as_str();
    let is_family = |family: &&str| known.starts_with(family);
    if TAKEN.contains(&known)
        || TAKEN_FAMILIES.iter().any(is_family)
        || known.ends_with("-cache-control")
    {
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
            "x-content-type-options",
            "X-Frame-Options",
            "referrer-policy",
            "permissions-policy",
            "cross-origin-resource-policy",
            "content-security-policy-report-only",
            "RateLimit",
            "ratelimit-policy",
            "x-ratelimit-remaining",
            "dpop-nonce",
            "x-accel-buffering",
            "cdn-cache-control",
            "etag",
            "server",
        ] {
            let error = parse(name).unwrap_err().to_string();
            assert!(error.starts_with("correlation_header `"), "{error}");
            assert!(!error.contains('\n'));
        }
        for name in ["X-Correlation-Id", "X-Request-Id", "x-amzn-trace-id"] {
            assert!(parse(name).unwrap().as_str().eq_ignore_ascii_case(name));
        }
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

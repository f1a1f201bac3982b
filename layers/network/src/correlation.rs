use bartizan_core::{CorrelationId, printable};
use http::{HeaderMap, HeaderName};

use crate::NetworkConfigError;

/// Fields whose values are credentials: an id is written into answers and logs.
const SECRET: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "dpop",
    "x-api-key",
    "api-key",
    "mcp-session-id",
];

/// The header in which trusted proxies name the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CorrelationHeader(HeaderName);

impl CorrelationHeader {
    pub(crate) fn new(name: &str) -> Result<Self, NetworkConfigError> {
        let error = |problem| NetworkConfigError::new("correlation id header", name, problem);
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| error("is not the name of a header"))?;
        if SECRET.contains(&header.as_str()) {
            return Err(error("holds a secret, and ids are shown"));
        }
        Ok(Self(header))
    }

    /// The id that a proxy gave; `None` if it gave none, and an error if it is not one id.
    pub(crate) fn read(&self, headers: &HeaderMap) -> Option<Result<CorrelationId, String>> {
        let mut lines = headers.get_all(&self.0).iter();
        let first = lines.next()?;
        if lines.next().is_some() {
            return Some(Err("a proxy's correlation id is repeated".to_owned()));
        }
        let id = first.to_str().ok().and_then(CorrelationId::parse);
        Some(id.ok_or_else(|| {
            let text = String::from_utf8_lossy(first.as_bytes());
            format!(
                "a proxy's correlation id is none: `{}`",
                printable(&text, 100)
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_none_or_that_holds_a_secret_does_not_build() {
        for bad in [
            "",
            "x request",
            "x-request-id:",
            "Authorization",
            "Cookie",
            "X-API-Key",
        ] {
            let error = CorrelationHeader::new(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
        }
        assert!(CorrelationHeader::new("X-Request-ID").is_ok());
    }

    #[test]
    fn one_legal_line_is_an_id_and_anything_else_is_none() {
        let header = CorrelationHeader::new("x-request-id").unwrap();
        let read = |lines: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                let value = http::HeaderValue::from_bytes(line).unwrap();
                headers.append("x-request-id", value);
            }
            header.read(&headers)
        };
        assert_eq!(read(&[]), None);
        let id = read(&[b"01J9-req:42"]).unwrap().unwrap();
        assert_eq!(id.as_str(), "01J9-req:42");
        for bad in [
            &[b"a".as_slice(), b"a"] as &[&[u8]],
            &[b""],
            &[b"a b"],
            &[b"a,b"],
            &[b"\xff"],
            &[&[b'x'; 129]],
        ] {
            assert!(read(bad).unwrap().is_err(), "{bad:?}");
        }
    }
}

use bartizan_core::ResponseBody;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, VARY,
    },
};

use crate::policy::{Policy, members};

/// What an MCP client sends (OH-6).
const MCP_HEADERS: [&str; 12] = [
    "authorization",
    "content-type",
    "accept",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-session-id",
    "last-event-id",
    "dpop",
    "traceparent",
    "tracestate",
    "baggage",
];
const MCP_PARAM: &[u8] = b"mcp-param-";

/// Beyond either bound no header is granted.
const MAX_NAMES: usize = 64;
const MAX_BYTES: usize = 4096;

static REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
static ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Whether a request whose Origin is allowed asks for permission only.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    if *method != Method::OPTIONS {
        return false;
    }
    let mut asked = headers.get_all(ACCESS_CONTROL_REQUEST_METHOD).iter();
    asked.next().is_some_and(|m| is_token(m.as_bytes())) && asked.next().is_none()
}

impl Policy {
    /// The answer to a preflight from an allowed origin: what is granted, whatever was asked.
    pub(crate) fn preflight<B>(
        &self,
        origin: HeaderValue,
        asked: &HeaderMap,
    ) -> Response<ResponseBody<B>> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(VARY, self.preflight_vary());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if let Some(granted) = self.granted_headers(asked) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, granted);
        }
        if self.credentials {
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
        let asks = || {
            asked
                .get(&REQUEST_PRIVATE_NETWORK)
                .is_some_and(|v| v == "true")
        };
        if self.private_network && asks() {
            headers.insert(
                ALLOW_PRIVATE_NETWORK.clone(),
                HeaderValue::from_static("true"),
            );
        }
        let mut response = Response::new(ResponseBody::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = headers;
        response
    }

    fn preflight_vary(&self) -> HeaderValue {
        HeaderValue::from_static(if self.private_network {
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, \
             Access-Control-Request-Private-Network"
        } else {
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        })
    }

    /// Those of the requested names that are granted; `None` if there are none (OH-6).
    fn granted_headers(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        let fields = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
        let first = fields.iter().next()?;
        let bytes: usize = fields.iter().map(HeaderValue::len).sum();
        if bytes > MAX_BYTES {
            return None;
        }
        let names = || fields.iter().flat_map(members);
        let (mut count, mut granted) = (0, 0);
        for name in names() {
            count += 1;
            granted += usize::from(self.grants(name));
        }
        if granted == 0 || count > MAX_NAMES {
            return None;
        }
        if granted == count && first.len() == bytes {
            return Some(first.clone());
        }
        let granted: Vec<_> = names().filter(|name| self.grants(name)).collect();
        HeaderValue::from_bytes(&granted.join(&b", "[..])).ok()
    }

    fn grants(&self, name: &[u8]) -> bool {
        let is = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
        MCP_HEADERS.into_iter().any(is)
            || self.extra_headers.iter().any(|extra| is(extra.as_str()))
            || is_mcp_param(name)
    }
}

/// `Mcp-Param-*` of any name, since browsers know no prefix wildcard (N-6, TR-10).
fn is_mcp_param(name: &[u8]) -> bool {
    name.split_at_checked(MCP_PARAM.len())
        .is_some_and(|(prefix, rest)| prefix.eq_ignore_ascii_case(MCP_PARAM) && is_token(rest))
}

/// RFC 9110 §5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    let tchar = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !bytes.is_empty() && bytes.iter().all(tchar)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn granted(asked: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in asked {
            let value = HeaderValue::from_str(line).unwrap();
            headers.append(ACCESS_CONTROL_REQUEST_HEADERS, value);
        }
        let value = Policy::default().granted_headers(&headers)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn oh_6_mcp_names_are_granted_and_others_left_out() {
        let all = MCP_HEADERS.join(",");
        assert_eq!(granted(&[&all]), Some(all));
        let param = "authorization,mcp-method,mcp-name,mcp-param-region";
        assert_eq!(granted(&[param]).as_deref(), Some(param));
        assert_eq!(
            granted(&["accept, x-evil,DPoP"]).as_deref(),
            Some("accept, DPoP")
        );
        assert_eq!(
            granted(&["accept", "x-evil", "dpop"]).as_deref(),
            Some("accept, dpop")
        );
    }

    #[test]
    fn names_on_several_lines_are_one_list() {
        let asked = ["accept,dpop", "mcp-name"];
        assert_eq!(granted(&asked).as_deref(), Some("accept, dpop, mcp-name"));
    }

    #[test]
    fn tr_10_wildcards_and_bare_prefixes_are_not_names() {
        for bad in [
            "*",
            "mcp-param-",
            "mcp-param-a b",
            "mcp-para",
            "",
            ",,",
            "cookie",
        ] {
            assert_eq!(granted(&[bad]), None, "{bad:?}");
        }
        assert_eq!(
            granted(&["accept, mcp-param-a\"b"]).as_deref(),
            Some("accept")
        );
    }

    #[test]
    fn too_many_or_too_long_names_grant_nothing() {
        assert!(granted(&[&["accept"; 64].join(",")]).is_some());
        assert_eq!(granted(&[&["accept"; 65].join(",")]), None);
        assert_eq!(granted(&["accept"; 65]), None);
        let long = |len: usize| format!("mcp-param-{}", "a".repeat(len - 10));
        assert!(granted(&[&long(4096)]).is_some());
        assert_eq!(granted(&[&long(4097)]), None);
        assert_eq!(granted(&["accept", &long(4096)]), None);
    }

    proptest! {
        #[test]
        fn only_requested_and_known_names_are_ever_granted(
            asked in "(accept|DPoP|x-[a-z]{1,3}|mcp-param-[ -~]{0,3}|[ ,\t]){0,8}"
        ) {
            if let Some(granted) = granted(&[&asked]) {
                for name in granted.split(',').map(str::trim).filter(|n| !n.is_empty()) {
                    prop_assert!(asked.contains(name));
                    prop_assert!(Policy::default().grants(name.as_bytes()));
                    prop_assert!(HeaderName::from_bytes(name.as_bytes()).is_ok());
                }
            }
        }
    }
}

use bartizan_core::printable;
use http::{HeaderMap, HeaderName, HeaderValue, header::ORIGIN};

use crate::{allowlist::Allowlist, error::CorsConfigError, origin::Origin};

/// Everything a request is judged by and an answer is made from.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) origins: Allowlist,
    pub(crate) methods: HeaderValue,
    pub(crate) extra_headers: Vec<HeaderName>,
    pub(crate) exposed: HeaderValue,
    pub(crate) max_age: HeaderValue,
    pub(crate) credentials: bool,
    pub(crate) private_network: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            origins: Allowlist::default(),
            methods: HeaderValue::from_static("POST, GET, DELETE"),
            extra_headers: Vec::new(),
            exposed: HeaderValue::from_static(
                "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, DPoP-Nonce, Retry-After, \
                 RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, \
                 X-Request-Id",
            ),
            max_age: HeaderValue::from_static("3600"),
            credentials: false,
            private_network: false,
        }
    }
}

/// An origin that a request names and that is allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed<'r> {
    pub(crate) field: &'r HeaderValue,
    /// As it is listed, where it is listed as it is spelled.
    spelled: Option<&'r str>,
}

impl Allowed<'_> {
    /// Fit for a record.
    pub(crate) fn shown(&self) -> String {
        self.spelled
            .map_or_else(|| shown(self.field), str::to_owned)
    }
}

impl Policy {
    /// The request's allowed origin, `None` if it names none, or the reason to refuse it (OH-1).
    pub(crate) fn judge<'r>(
        &'r self,
        headers: &'r HeaderMap,
    ) -> Result<Option<Allowed<'r>>, String> {
        let mut fields = headers.get_all(ORIGIN).iter();
        let Some(field) = fields.next() else {
            return Ok(None);
        };
        if fields.next().is_some() {
            return Err("the Origin field is repeated".to_owned());
        }
        let spelled = self.origins.spelled(field.as_bytes());
        let allowed = Allowed { field, spelled };
        if spelled.is_some() {
            return Ok(Some(allowed));
        }
        let problem = match Origin::parse(field.as_bytes()) {
            Ok(origin) if self.origins.contains(&origin) => return Ok(Some(allowed)),
            Ok(_) => "is not on the allowlist",
            Err(problem) => problem,
        };
        Err(format!("origin `{}` {problem}", shown(field)))
    }

    pub(crate) fn set_methods<I>(&mut self, methods: I) -> Result<(), CorsConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut list = Vec::new();
        for method in methods {
            let method = method.as_ref().to_owned();
            check_method(&method)?;
            if !list.contains(&method) {
                list.push(method);
            }
        }
        let list = list.join(", ");
        if list.is_empty() {
            return Err(CorsConfigError::new(
                "methods",
                list,
                "must name one or more",
            ));
        }
        self.methods = HeaderValue::try_from(&list)
            .map_err(|_| CorsConfigError::new("methods", list, "are no header value"))?;
        Ok(())
    }

    pub(crate) fn grant(&mut self, name: &str) -> Result<(), CorsConfigError> {
        self.extra_headers.push(header_name(name)?);
        Ok(())
    }

    pub(crate) fn expose(&mut self, name: &str) -> Result<(), CorsConfigError> {
        let header = header_name(name)?;
        let added = header.as_str().as_bytes();
        if members(&self.exposed).any(|member| member.eq_ignore_ascii_case(added)) {
            return Ok(());
        }
        let longer = [self.exposed.as_bytes(), b", ", added].concat();
        self.exposed = HeaderValue::from_bytes(&longer)
            .map_err(|_| CorsConfigError::new("header", name, "is not a header name"))?;
        Ok(())
    }
}

fn check_method(method: &str) -> Result<(), CorsConfigError> {
    let error = |problem| Err(CorsConfigError::new("method", method, problem));
    let legal = |b: u8| b.is_ascii_uppercase() || b == b'-';
    if method.is_empty() || !method.bytes().all(legal) {
        return error("is not an upper-case method name");
    }
    if matches!(method, "CONNECT" | "TRACE" | "TRACK") {
        return error("is one that browsers never send");
    }
    Ok(())
}

fn header_name(name: &str) -> Result<HeaderName, CorsConfigError> {
    HeaderName::from_bytes(name.as_bytes())
        .ok()
        .filter(|_| !name.contains('*'))
        .ok_or_else(|| CorsConfigError::new("header", name, "is not a header name"))
}

/// A header value of a stranger's, fit for a log line.
pub(crate) fn shown(value: &HeaderValue) -> String {
    // Nearly all are of visible ASCII, which takes no formatting.
    let plain = |b: &u8| matches!(b, b' '..=b'~') && *b != b'\\';
    if value.len() <= 120
        && value.as_bytes().iter().all(plain)
        && let Ok(text) = str::from_utf8(value.as_bytes())
    {
        return text.to_owned();
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    printable(&text, 120).to_string()
}

/// The members of a comma-separated list.
pub(crate) fn members(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

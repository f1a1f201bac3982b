use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use bartizan_kit::{McpRequest, Revision, call_tool};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};

pub const ORIGIN: &str = "https://app.example.com";
pub const TOOL: &str = "write_note";

/// The headers that a browser client asks for, which is also what the peers' stack grants.
pub const ASKED_HEADERS: &str =
    "accept,authorization,content-type,mcp-method,mcp-name,mcp-protocol-version";

/// Makes requests that differ in their token only.
///
/// Header values share one buffer, as they do when hyper reads them, and the peer's address is
/// where axum puts it.
#[derive(Clone)]
pub struct Requests {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    tokens: Vec<HeaderValue>,
    next: usize,
}

impl Requests {
    /// Tool calls without a token, with a body of about so many bytes.
    pub fn call(bytes: usize) -> Self {
        let request = call_tool(Revision::V2026_07_28, TOOL, arguments(bytes));
        Self::of(dressed(request))
    }

    /// Preflights of a browser client.
    pub fn preflight() -> Self {
        Self::of(
            McpRequest::new(Method::OPTIONS)
                .host("localhost:8080")
                .origin(ORIGIN)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", ASKED_HEADERS),
        )
    }

    fn of(request: McpRequest) -> Self {
        let body = request.bytes();
        let (mut parts, _) = request.build().into_parts();
        if !body.is_empty() {
            parts
                .headers
                .insert("content-length", HeaderValue::from(body.len()));
        }
        Self {
            method: parts.method,
            headers: in_one_buffer(&parts.headers),
            body,
            tokens: Vec::new(),
            next: 0,
        }
    }

    /// With these tokens in turn.
    pub fn with_tokens(mut self, tokens: Vec<HeaderValue>) -> Self {
        self.tokens = tokens;
        self
    }

    /// With one token.
    pub fn with_token(self, token: HeaderValue) -> Self {
        self.with_tokens(vec![token])
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.tokens.len()
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }

    pub fn batch(&mut self, count: usize) -> Vec<Request<Body>> {
        (0..count).map(|_| self.one()).collect()
    }

    pub fn one(&mut self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::from_static("/mcp");
        *request.headers_mut() = self.headers.clone();
        if let Some(token) = self.tokens.get(self.next) {
            self.next = (self.next + 1) % self.tokens.len();
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let peer = SocketAddr::from(([192, 0, 2, 7], 50_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    }
}

/// With what browsers add.
fn dressed(request: McpRequest) -> McpRequest {
    request
        .host("localhost:8080")
        .origin(ORIGIN)
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) client/1.0")
        .header("accept-encoding", "gzip, deflate, br")
}

/// Many small members, since that is what is dear to read.
fn arguments(bytes: usize) -> Value {
    let note = json!({"title": "a note", "text": "words, and more of them", "id": 42});
    let size = |value: &Value| value.to_string().len();
    // What stands around the arguments, by the size of the smallest call.
    const AROUND: usize = 230;
    let rows = bytes.saturating_sub(AROUND) / (size(&note) + 1);
    json!({"notes": vec![note; rows.max(1)]})
}

fn in_one_buffer(headers: &HeaderMap) -> HeaderMap {
    let mut buffer = BytesMut::new();
    for value in headers.values() {
        buffer.extend_from_slice(value.as_bytes());
    }
    let buffer = buffer.freeze();
    let mut start = 0;
    let shared = headers.iter().map(|(name, value)| {
        let end = start + value.len();
        let value = HeaderValue::from_maybe_shared(buffer.slice(start..end)).unwrap();
        start = end;
        (HeaderName::clone(name), value)
    });
    shared.collect()
}

use base64::{Engine as _, prelude::*};
use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::Revision;

/// A JSON-RPC request as a client of that revision posts it: `P25` and `P26` of the
/// requirements. Under 2026-07-28 `params` also gets the `_meta` that every request needs.
pub fn post(revision: Revision, method: &str, params: Value) -> McpRequest {
    let mut request = McpRequest::new(Method::POST)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if revision.names_itself_on(method) {
        request = request.header("mcp-protocol-version", revision.as_str());
    }
    let mut message = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    message["params"] = params;
    if revision.is_modern() {
        request = request.header("mcp-method", method);
        if let Some(name) = mirrored_name(method, &message["params"]) {
            request = request.header("mcp-name", sentinel(name));
        }
        let meta = &mut message["params"]["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!(revision.as_str());
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    request.body = Body::Message(message);
    request
}

/// The handshake of a legacy revision.
pub fn initialize(revision: Revision) -> McpRequest {
    let params = json!({
        "protocolVersion": revision.as_str(),
        "capabilities": {},
        "clientInfo": {"name": "bartizan-kit", "version": "0"},
    });
    post(revision, "initialize", params)
}

/// A `tools/call` with these arguments.
pub fn call_tool(revision: Revision, name: &str, arguments: Value) -> McpRequest {
    let mut params = json!({"name": name});
    params["arguments"] = arguments;
    post(revision, "tools/call", params)
}

/// A `GET` that opens the server's event stream (legacy revisions).
pub fn get_stream(revision: Revision) -> McpRequest {
    McpRequest::new(Method::GET)
        .header("accept", "text/event-stream")
        .version_of(revision)
}

/// A `DELETE` that ends a session (legacy revisions).
pub fn delete_session(revision: Revision, session: &str) -> McpRequest {
    McpRequest::new(Method::DELETE)
        .version_of(revision)
        .session(session)
}

/// A `POST` of any bytes, with the two headers that every revision wants and no others.
pub fn raw(body: impl Into<Bytes>) -> McpRequest {
    McpRequest::new(Method::POST)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body)
}

/// A request to `/mcp` at `mcp.example.com`, under construction.
#[derive(Debug, Clone)]
#[must_use]
pub struct McpRequest {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Message(Value),
    Bytes(Bytes),
}

impl McpRequest {
    /// A request of that method without a body.
    pub fn new(method: Method) -> Self {
        let request = Self {
            method,
            uri: Uri::from_static("/mcp"),
            headers: HeaderMap::new(),
            extensions: Extensions::new(),
            body: Body::Bytes(Bytes::new()),
        };
        request.header(HOST.as_str(), "mcp.example.com")
    }

    /// Sets a header field, in place of all of that name.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = field(name, value.as_ref());
        self.headers.insert(name, value);
        self
    }

    /// Adds a field line beside those of that name.
    pub fn header_again(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = field(name, value.as_ref());
        self.headers.append(name, value);
        self
    }

    /// Drops all fields of a name.
    pub fn no_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sets `Authorization: Bearer …`.
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        let value = format!("Bearer {}", token.as_ref());
        self.header(AUTHORIZATION.as_str(), value)
    }

    /// Sets `Origin`.
    pub fn origin(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    /// Sets `Host`.
    pub fn host(self, host: &str) -> Self {
        self.header("host", host)
    }

    /// Sets `Mcp-Session-Id`.
    pub fn session(self, id: &str) -> Self {
        self.header("mcp-session-id", id)
    }

    /// Sets the request target.
    pub fn uri(mut self, uri: &str) -> Self {
        self.uri = uri.parse().unwrap();
        self
    }

    /// Puts a value among the extensions, as a server would: the peer's address.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Sets the JSON-RPC id.
    ///
    /// # Panics
    ///
    /// This, [`notification`](Self::notification) and [`meta`](Self::meta) panic if the body is
    /// raw bytes.
    pub fn id(mut self, id: impl Into<Value>) -> Self {
        self.message()["id"] = id.into();
        self
    }

    /// Makes it a notification: no id.
    pub fn notification(mut self) -> Self {
        self.message().as_object_mut().unwrap().remove("id");
        self
    }

    /// Sets a member of `params._meta`; `null` drops it.
    pub fn meta(mut self, member: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => {
                let meta = &mut self.message()["params"]["_meta"];
                meta.as_object_mut().unwrap().remove(member);
            }
            value => self.message()["params"]["_meta"][member] = value,
        }
        self
    }

    /// Replaces the body by any bytes; the headers stay.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes(body.into());
        self
    }

    /// The body as it will be sent.
    pub fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Message(message) => message.to_string().into(),
            Body::Bytes(bytes) => bytes.clone(),
        }
    }

    /// The request.
    pub fn build(self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.bytes()));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        *request.extensions_mut() = self.extensions;
        request
    }

    /// The request with axum's body type.
    pub fn build_axum(self) -> Request<axum::body::Body> {
        self.build().map(axum::body::Body::new)
    }

    fn version_of(self, revision: Revision) -> Self {
        match revision {
            Revision::V2025_03_26 => self,
            _ => self.header("mcp-protocol-version", revision.as_str()),
        }
    }

    fn message(&mut self) -> &mut Value {
        match &mut self.body {
            Body::Message(message) => message,
            Body::Bytes(_) => panic!("the body is raw bytes"),
        }
    }
}

fn field(name: &str, value: &[u8]) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_bytes(name.as_bytes()).unwrap(),
        HeaderValue::from_bytes(value).unwrap(),
    )
}

/// What `Mcp-Name` mirrors, where it is due (N-5).
fn mirrored_name<'a>(method: &str, params: &'a Value) -> Option<&'a str> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    params[member].as_str()
}

/// A value as clients write it into a header: in Base64 if it could not stand there (N-6).
fn sentinel(value: &str) -> String {
    let plain = value.bytes().all(|b| matches!(b, b' '..=b'~')) && value.trim() == value;
    let confusable = value.starts_with("=?base64?") && value.ends_with("?=");
    if plain && !confusable {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONTENT_TYPE};

    use super::*;

    fn body(request: &McpRequest) -> Value {
        serde_json::from_slice(&request.bytes()).unwrap()
    }

    #[test]
    fn a_modern_request_mirrors_method_and_name_and_carries_its_meta() {
        let request = call_tool(Revision::V2026_07_28, "add", json!({"a": 1}));
        let meta = &body(&request)["params"]["_meta"];
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"],
            "2026-07-28"
        );
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({})
        );
        let request = request.build();
        assert_eq!(request.headers()["mcp-protocol-version"], "2026-07-28");
        assert_eq!(request.headers()["mcp-method"], "tools/call");
        assert_eq!(request.headers()["mcp-name"], "add");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(
            request.headers()[ACCEPT],
            "application/json, text/event-stream"
        );
    }

    #[test]
    fn a_legacy_request_has_neither() {
        for revision in [
            Revision::V2025_03_26,
            Revision::V2025_06_18,
            Revision::V2025_11_25,
        ] {
            let request = call_tool(revision, "add", json!({}));
            assert!(body(&request)["params"].get("_meta").is_none());
            let request = request.build();
            assert!(!request.headers().contains_key("mcp-method"));
            assert!(!request.headers().contains_key("mcp-name"));
            let named = request.headers().contains_key("mcp-protocol-version");
            assert_eq!(named, revision != Revision::V2025_03_26);
            let handshake = initialize(revision);
            assert_eq!(
                body(&handshake)["params"]["protocolVersion"],
                revision.as_str()
            );
            let headers = handshake.build().into_parts().0.headers;
            assert!(!headers.contains_key("mcp-protocol-version"));
        }
    }

    #[test]
    fn n_6_names_that_no_header_holds_are_written_in_base64() {
        assert_eq!(sentinel("add"), "add");
        assert_eq!(sentinel("Grüße"), "=?base64?R3LDvMOfZQ==?=");
        assert_eq!(sentinel(" a"), "=?base64?IGE=?=");
        assert_eq!(
            sentinel("=?base64?eA==?="),
            "=?base64?PT9iYXNlNjQ/ZUE9PT89?="
        );
    }

    #[test]
    fn deviations_win() {
        let request = post(Revision::V2026_07_28, "tools/list", json!({}))
            .header("mcp-method", "tools/call")
            .header_again("mcp-method", "ping")
            .no_header("accept")
            .meta("io.modelcontextprotocol/protocolVersion", Value::Null)
            .id("x");
        assert_eq!(body(&request)["id"], "x");
        assert_eq!(
            body(&request)["params"]["_meta"].as_object().unwrap().len(),
            1
        );
        let request = request.build();
        assert_eq!(request.headers().get_all("mcp-method").iter().count(), 2);
        assert!(!request.headers().contains_key("accept"));
        let notice = post(
            Revision::V2025_11_25,
            "notifications/initialized",
            json!({}),
        );
        assert!(body(&notice.notification()).get("id").is_none());
    }
}

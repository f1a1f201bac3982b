//! The request for a list of tools, made of the call that needs it.

use std::sync::atomic::{AtomicU64, Ordering};

use bartizan_core::{Call, RequestBody, SecurityContext, call::Revision, write_json_string};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

/// What the head of a call says that is not so of the request for a list, or what would make its answer unreadable.
const DROPPED: [HeaderName; 14] = [
    header::ACCEPT_ENCODING,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("last-event-id"),
];

/// What is kept of a call to ask for the list in its place.
#[derive(Debug)]
pub(super) struct Asker {
    head: Request<()>,
    context: SecurityContext,
    revision: Option<Revision>,
}

impl Asker {
    pub(super) fn of<B>(request: &Request<B>, call: &Call, context: &SecurityContext) -> Self {
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = request.uri().clone();
        *head.version_mut() = request.version();
        *head.headers_mut() = headers(request.headers());
        *head.extensions_mut() = request.extensions().clone();
        Self {
            head,
            context: context.clone(),
            revision: call.revision(),
        }
    }

    /// A request for a page, and its id.
    pub(super) fn ask<B>(&self, cursor: Option<&str>) -> (Request<RequestBody<B>>, String) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Callers choose ids too: by chance they choose none of these.
        let id = format!("bartizan-{:016x}-{number}", fastrand::u64(..));
        let mut body = String::from(r#"{"jsonrpc":"2.0","id":"#);
        write_json_string(&mut body, &id);
        body.push_str(r#","method":"tools/list","params":{"#);
        if let Some(cursor) = cursor {
            body.push_str(r#""cursor":"#);
            write_json_string(&mut body, cursor);
        }
        if let Some(revision) = self.revision.filter(|revision| revision.is_modern()) {
            if cursor.is_some() {
                body.push(',');
            }
            body.push_str(r#""_meta":{"io.modelcontextprotocol/protocolVersion":"#);
            write_json_string(&mut body, revision.as_str());
            body.push_str(r#","io.modelcontextprotocol/clientCapabilities":{}}"#);
        }
        body.push_str("}}");
        let mut request = self
            .head
            .clone()
            .map(|()| RequestBody::buffered(body.into()));
        // What inner guards judge is this page, and not the call, but for the same caller.
        let context = same_caller(&self.context);
        request.extensions_mut().insert(context);
        if self.revision.is_some_and(Revision::is_modern) {
            let method = HeaderValue::from_static("tools/list");
            request.headers_mut().insert("mcp-method", method);
        }
        (request, id)
    }
}

fn headers(of_call: &HeaderMap) -> HeaderMap {
    let mut headers = of_call.clone();
    for name in DROPPED {
        headers.remove(name);
    }
    let mirrored = |name: &&HeaderName| {
        let name = name.as_str();
        name == "mcp-method" || name == "mcp-name" || name.starts_with("mcp-param-")
    };
    let mirrored: Vec<_> = headers.keys().filter(mirrored).cloned().collect();
    for name in mirrored {
        headers.remove(name);
    }
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let both = HeaderValue::from_static("application/json, text/event-stream");
    headers.insert(header::ACCEPT, both);
    headers
}

/// A context of its own, for another request of the same caller.
fn same_caller(context: &SecurityContext) -> SecurityContext {
    let own = SecurityContext::default();
    // All of it is empty still, so that nothing is there already.
    if let Some(principal) = context.principal() {
        let _ = own.set_principal(principal.clone());
    }
    if let Some(address) = context.client_address() {
        let _ = own.set_client_address(address);
    }
    if let Some(transport) = context.transport() {
        let _ = own.set_transport(transport);
    }
    if let Some(permissions) = context.permissions() {
        let _ = own.set_permissions(permissions.clone());
    }
    let _ = own.set_correlation_id(context.correlation_id().clone());
    own.offer_challenges(context.challenges().into());
    own
}

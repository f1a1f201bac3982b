//! What both benches ask, and what a full stack's guards leave of it.

use bartizan_core::{Finding, Principal, SecurityContext, Verdict, identify};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

pub(super) type Body = Full<Bytes>;

pub(super) fn request() -> Request<Body> {
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"write_note","arguments":{"id":42}}}"#;
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("user-agent", "agent/1.0")
        .body(Body::from(body))
        .unwrap();
    let ann = Principal::user("https://auth.example.com", "ann")
        .client_id("agent-7")
        .credential_id("0193f0a2-5c1e-7cc0-8f00-3b1f0a2d4e5f")
        .roles(["editor"])
        .scopes(["tools:call"]);
    identify(&mut request, ann.build("jwt")).unwrap();
    let context = SecurityContext::of(&mut request);
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    request
}

pub(super) fn leave_findings<B>(request: &mut Request<B>) {
    let context = SecurityContext::of(request);
    for guard in ["network", "cors", "address", "jwt", "ratelimit", "rbac"] {
        context.record(|| Finding::new(guard, Verdict::Allowed, "allowed", "a static reason"));
    }
}

use std::sync::LazyLock;

use bartizan_core::{CallLayer, call::Revision};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::{
    lines::headers,
    send::{Frames, send},
};

/// Arbitrary `Mcp-*` headers, a line each, beside a body that the first byte chooses.
///
/// A request passes if, and only if, the headers tell the truth about the body as its revision
/// demands (N-2, N-3, N-5, N-6, PH-6).
pub fn call_headers(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let body = &BODIES[usize::from(first.wrapping_sub(b'0')) % BODIES.len()];
    let mcp = |name: &str| name.starts_with("mcp-") || name == "last-event-id";
    let headers = headers(rest, mcp);
    let text = body.to_string().into_bytes();
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Frames::new(&text, text.len()))
        .expect("a request");
    request.headers_mut().extend(headers.clone());
    let sent = send(&CallLayer::new(), request);
    let truth = tells_the_truth(&headers, body);
    match (sent.is_admitted(), truth) {
        (true, Err(lie)) => panic!("{lie}, and it passed"),
        (false, Ok(())) => {
            let answer = String::from_utf8_lossy(sent.answer.body());
            panic!("the truth was refused: {answer}");
        }
        _ => {}
    }
    if sent.is_admitted() {
        let declared = one(&headers, VERSION).expect("one at most");
        let revision = sent.context.call().expect("a call").revision();
        assert_eq!(revision.map(Revision::as_str), declared);
    } else {
        let answer: Value = serde_json::from_slice(sent.answer.body()).expect("the answer is JSON");
        assert!(matches!(sent.answer.status().as_u16(), 400 | 431));
        if let Some(id) = answer.get("id") {
            assert_eq!(id, &body["id"]);
        }
    }
}

static BODIES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let call = |method: &str, params: Value| json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let prompt = json!({"type": "ref/prompt", "name": "p"});
    vec![
        call("tools/call", json!({"name": "read_note"})),
        call("tools/call", json!({"name": "read_note", "_meta": meta})),
        call("resources/read", json!({"uri": "file:///é", "_meta": meta})),
        call("completion/complete", json!({"ref": prompt, "_meta": meta})),
        call("tools/list", json!({"_meta": meta})),
        call("prompts/get", json!({"name": "=?base64?eA==?="})),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 7, "result": {}}),
        call("tools/call", json!({"name": "", "_meta": meta})),
        call("tools/call", json!({"name": " a\tb ", "_meta": meta})),
    ]
});

const VERSION: &str = "mcp-protocol-version";
const MODERN: &str = "2026-07-28";
const VERSIONS: &[&str] = &[
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
    MODERN,
];

/// What the specification says about these headers beside this body.
fn tells_the_truth(headers: &HeaderMap, body: &Value) -> Result<(), &'static str> {
    let all = || {
        headers
            .iter()
            .filter(|(n, _)| n.as_str() != "last-event-id")
    };
    let bytes: usize = all().map(|(_, value)| value.len()).sum();
    if all().count() > 64 || bytes > 32 << 10 || all().any(|(_, value)| value.len() > 8 << 10) {
        return Err("too much");
    }
    one(headers, "mcp-session-id")?;
    one(headers, "last-event-id")?;
    let declared = one(headers, VERSION)?;
    if declared.is_some_and(|version| !VERSIONS.contains(&version)) {
        return Err("an unknown version");
    }
    let modern = declared == Some(MODERN);
    let params = &body["params"];
    let stated = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    if stated.is_some() && declared != stated {
        return Err("another version");
    }
    let is_request = body.get("method").is_some() && body.get("id").is_some();
    if modern && body.get("method").is_none() {
        return Err("a response under the modern revision");
    }
    if modern && is_request && stated.is_none() {
        return Err("no _meta under the modern revision");
    }

    let method = body["method"].as_str().unwrap_or_default();
    match one(headers, "mcp-method")? {
        Some(mirrored) if mirrored != method => return Err("another method"),
        None if modern && is_request => return Err("no method"),
        _ => {}
    }
    let name = match method {
        "completion/complete" => params["ref"]["name"].as_str(),
        _ => params["name"].as_str().or(params["uri"].as_str()),
    };
    match one(headers, "mcp-name")? {
        Some(mirrored) if name.is_none_or(|name| !mirrors(mirrored, name)) => {
            return Err("another name");
        }
        None if modern && is_request && name.is_some() && method != "completion/complete" => {
            return Err("no name");
        }
        _ => {}
    }
    for header in headers
        .keys()
        .filter(|n| n.as_str().starts_with("mcp-param-"))
    {
        let value = one(headers, header.as_str())?.unwrap_or_default();
        let text = enveloped(value).map(|inner| STANDARD.decode(inner).map(String::from_utf8));
        if text.is_some_and(|text| !matches!(text, Ok(Ok(_)))) {
            return Err("a parameter that is not Base64");
        }
    }
    Ok(())
}

/// The header's only value, without the white space around it.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, &'static str> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let [value] = values[..] else {
        return if values.is_empty() {
            Ok(None)
        } else {
            Err("a repetition")
        };
    };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| "no text")?;
    let visible = |c: char| matches!(c, '\t' | ' '..='~');
    if !text.chars().all(visible) {
        return Err("no visible text");
    }
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// Whether a header's value stands for this name. There is one encoding of it, so nothing has to
/// be decoded.
fn mirrors(value: &str, name: &str) -> bool {
    match enveloped(value) {
        Some(encoded) => encoded == STANDARD.encode(name),
        None => value == name,
    }
}

fn enveloped(value: &str) -> Option<&str> {
    value.strip_prefix("=?base64?")?.strip_suffix("?=")
}

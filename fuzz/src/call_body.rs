use bartizan_core::{Call, CallKind, CallLayer, CallLimits};
use http::Request;
use serde_json::{Map, Value};

use crate::{
    json::Size,
    send::{Frames, Sent, send},
};

/// Arbitrary bytes as the body of a `POST`, in frames whose size the first byte chooses.
///
/// What passes is one unambiguous JSON-RPC message, the layer read the same method, name, id and
/// arguments out of it as another parser, and the inner service got the same bytes. What is
/// refused is refused for a reason, and its answer is a JSON-RPC error that echoes the id, if any.
pub fn call_body(data: &[u8]) {
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let frame = if first.is_ascii_digit() {
        body.len().max(1)
    } else {
        usize::from(*first).max(1)
    };
    let request = Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Frames::new(body, frame))
        .expect("a request");
    let sent = send(&CallLayer::new(), request);
    let message = read(body);
    let Some(reached) = &sent.reached else {
        judge_refusal(&sent, &message);
        return;
    };
    assert_eq!(reached.body(), body, "the inner service got other bytes");
    let call = sent.context.call().expect("a call");
    assert_eq!(call.body(), body);
    match message {
        Reading::Clear(message, size) => judge_call(call, &message, &size),
        Reading::HugeNumber => {}
        Reading::Broken(error) => panic!("not JSON, and it passed: {error}"),
    }
}

/// The same bytes, as another parser reads them.
enum Reading {
    Clear(Value, Size),
    /// JSON by its grammar, with a number that an `f64` cannot hold.
    HugeNumber,
    Broken(serde_json::Error),
}

fn read(body: &[u8]) -> Reading {
    let parsed = serde_json::from_slice(body).and_then(|value| Ok((value, Size::of(body)?)));
    match parsed {
        Ok((value, size)) => Reading::Clear(value, size),
        Err(error) if error.to_string().starts_with("number out of range") => Reading::HugeNumber,
        Err(error) => Reading::Broken(error),
    }
}

fn judge_call(call: &Call, message: &Value, size: &Size) {
    assert!(!size.repeats.get(), "a member is repeated, and it passed");
    assert!(!size.private.get(), "a member is private, and it passed");
    let measures = call.measures();
    assert_eq!(measures.bytes, call.body().len());
    assert_eq!(measures.depth, size.depth.get());
    assert_eq!(measures.members, size.members.get());
    assert_eq!(measures.elements, size.elements.get());
    assert!(size.depth.get() <= CallLimits::new().depth());
    assert!(size.members.get() <= CallLimits::new().members());

    let message = message.as_object().expect("not an object, and it passed");
    assert_eq!(message.get("jsonrpc"), Some(&Value::from("2.0")));
    assert_no_double(message, MESSAGE);
    let (method, id) = (message.get("method"), message.get("id"));
    let answers = ["result", "error"].map(|name| usize::from(message.contains_key(name)));
    let kind = match (method, id, answers.iter().sum()) {
        (Some(_), Some(_), 0_usize) => CallKind::Request,
        (Some(_), None, 0) => CallKind::Notification,
        (None, Some(_), 1) => CallKind::Response,
        other => panic!("no message, and it passed: {other:?}"),
    };
    assert_eq!(call.kind(), kind);
    let method = method.map_or(Some(""), Value::as_str);
    assert_eq!(Some(call.method()), method);
    assert!(id.is_none_or(|id| id.is_string() || id.is_number()));
    assert_eq!(parse(call.id()).as_ref(), id);

    let params = message.get("params");
    assert!(params.is_none_or(Value::is_object));
    assert_eq!(parse(call.params()).as_ref(), params);
    let params = params.and_then(Value::as_object);
    let param = |name: &str| params.and_then(|params| params.get(name));
    assert_eq!(parse(call.arguments()).as_ref(), param("arguments"));
    if let Some(params) = params {
        assert_no_double(params, PARAMS);
    }
    let name = match call.method() {
        "tools/call" | "prompts/get" => param("name"),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => param("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" | "tasks/result" => param("taskId"),
        "completion/complete" => reference(param("ref").expect("no ref, and it passed")),
        _ => {
            assert_eq!(call.name(), None);
            return;
        }
    };
    let name = name.and_then(Value::as_str);
    assert_eq!(call.name(), Some(name.expect("no name, and it passed")));
}

fn reference(reference: &Value) -> Option<&Value> {
    match reference["type"].as_str()? {
        "ref/prompt" => reference.get("name"),
        "ref/resource" => reference.get("uri"),
        _ => None,
    }
}

fn parse(text: Option<&str>) -> Option<Value> {
    text.map(|text| serde_json::from_str(text).expect("a slice of JSON is JSON"))
}

const MESSAGE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];
const PARAMS: &[&str] = &["name", "uri", "taskId", "ref", "arguments", "_meta"];

/// No member may be taken for a known one by a parser that ignores case, such as Go's, which also
/// folds the long s and the Kelvin sign.
fn assert_no_double(object: &Map<String, Value>, known: &[&str]) {
    let fold = |name: &str| {
        let plain = name.replace('ſ', "s").replace('\u{212a}', "k");
        plain.to_ascii_lowercase()
    };
    for name in object.keys() {
        let double = known.iter().any(|k| k != name && fold(k) == fold(name));
        assert!(!double, "{name:?} passed");
    }
}

fn judge_refusal(sent: &Sent, message: &Reading) {
    assert_eq!(sent.answer.status(), 400);
    let answer: Value = serde_json::from_slice(sent.answer.body()).expect("the answer is JSON");
    let code = answer["error"]["code"].as_i64().expect("a code");
    assert!([-32700, -32600, -32602, -32020, -32022].contains(&code));
    let Reading::Clear(message, size) = message else {
        return;
    };
    assert_ne!(code, -32700, "JSON is JSON");
    if let Some(id) = answer.get("id") {
        assert_eq!(Some(id), message.get("id"), "another id");
    }
    assert!(
        size.repeats.get() || size.private.get() || !is_plain(message, size),
        "a plain message was refused: {answer}"
    );
}

/// Whether nothing at all can be said against a message. Some that can pass are not plain.
fn is_plain(message: &Value, size: &Size) -> bool {
    let Some(message) = message.as_object() else {
        return false;
    };
    let known = |object: &Map<String, Value>, names: &[&str]| {
        object.keys().all(|name| names.contains(&name.as_str()))
    };
    let short = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .is_some_and(|text| text.len() < 40)
    };
    let params = match message.get("params") {
        None => &Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return false,
    };
    message.get("jsonrpc") == Some(&Value::from("2.0"))
        && short(message.get("method"))
        && (short(message.get("id")) || message.get("id").is_some_and(Value::is_i64))
        && known(message, &["jsonrpc", "id", "method", "params"])
        && known(params, &["name", "uri", "taskId", "arguments"])
        && ["name", "uri", "taskId"]
            .iter()
            .all(|name| short(params.get(*name)))
        && message.get("method") != Some(&Value::from("completion/complete"))
        && size.depth.get() <= 64
        && size.members.get() <= 4096
}

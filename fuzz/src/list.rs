use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
};

use bartizan_core::{Principal, RequestBody, identify};
use bartizan_rbac::{Operation, Policy, RbacLayer, Rule};
use futures_executor::block_on;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::{send::Frames, sse::messages};

/// An arbitrary answer to `tools/list`, its frames as long as the first byte says: JSON if it begins
/// with a brace, or else an event stream.
///
/// It says the same however it was cut. What passes is, by a naive reading, what went in without
/// what the policy does not admit; and nothing of what cannot be read passes.
pub fn list(data: &[u8]) {
    let Some((&size, body)) = data.split_first() else {
        return;
    };
    let (status, out) = through(CALL, body, usize::from(size).max(1));
    let (again, other) = through(CALL, body, body.len().max(1));
    assert_eq!((status, told(&out)), (again, told(&other)), "by the cut");
    if !is_json(body) {
        assert_eq!(status, 200);
        let (went_in, came_out) = (said(body), said(&out));
        for (index, message) in came_out.iter().enumerate() {
            let is_last = index + 1 == came_out.len();
            let is_end = is_last && message.starts_with(REFUSAL);
            if !is_end {
                is_filtered(&went_in[index], message);
            }
        }
        let is_whole = came_out.len() == went_in.len();
        let is_refused = came_out
            .last()
            .is_some_and(|last| last.starts_with(REFUSAL));
        assert!(is_whole || is_refused, "a message is lost");
    } else if status == 200 {
        is_filtered(body, &out);
    } else {
        assert_eq!(status, 500);
        assert!(out.starts_with(REFUSAL));
    }
}

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// What of the messages of an event stream says something.
fn said(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = messages(stream);
    messages.retain(|message| !message.trim_ascii().is_empty());
    messages
}

pub(crate) fn is_json(body: &[u8]) -> bool {
    body.starts_with(b"{")
}

pub(crate) const REFUSAL: &[u8] =
    br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal error""#;

/// Without the correlation id, which is another one each time.
pub(crate) fn told(out: &[u8]) -> &[u8] {
    let id = b"\"correlationId\":";
    let at = out.windows(id.len()).rposition(|bytes| bytes == id);
    &out[..at.unwrap_or(out.len())]
}

fn is_filtered(was: &[u8], is: &[u8]) {
    // Nobody reads half characters and numbers without end alike.
    let (Ok(mut was), Ok(is)) = (read(was), read(is)) else {
        return;
    };
    if let Some(result) = was.get_mut("result").and_then(Value::as_object_mut) {
        assert!(result.get("tools").is_some_and(Value::is_array));
        for (member, key, operation) in LISTS {
            if let Some(list) = result.get_mut(*member).and_then(Value::as_array_mut) {
                list.retain(|element| {
                    let name = element[key].as_str().expect("an element has a name");
                    let decision = POLICY.decide(Some(&ann()), &operation(name));
                    decision.is_admitted()
                });
            }
        }
        if let Some(scope) = result.get_mut("cacheScope") {
            *scope = "private".into();
        }
    } else {
        assert!(was.get("result").is_none(), "a result that is no object");
    }
    assert_eq!(was, is);
}

pub(crate) fn read(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(text)
}

pub(crate) type Named = for<'a> fn(&'a str) -> Operation<'a>;

pub(crate) const LISTS: &[(&str, &str, Named)] = &[
    ("tools", "name", |name| Operation::tool(name)),
    ("resources", "uri", |name| Operation::resource(name)),
    ("resourceTemplates", "uriTemplate", |name| {
        Operation::resource_template(name)
    }),
    ("prompts", "name", |name| Operation::prompt(name)),
];

/// What comes out of the answer to a call, and its status.
pub(crate) fn through(call: &[u8], body: &[u8], frame: usize) -> (u16, Vec<u8>) {
    let media = match is_json(body) {
        true => "application/json",
        false => "text/event-stream",
    };
    let inner = service_fn(|_: Request<RequestBody<Frames>>| {
        let answer = Response::builder().header("content-type", media);
        let answer = answer.body(Frames::new(body, frame));
        async { Ok::<_, Infallible>(answer.expect("the head is fine")) }
    });
    let request = Request::post("/mcp").header("content-type", "application/json");
    let mut request = request
        .body(Frames::new(call, call.len()))
        .expect("the head is fine");
    identify(&mut request, ann()).expect("it has no principal yet");
    let layer = RbacLayer::new(Arc::clone(&*POLICY));
    let Ok(answer) = block_on(layer.layer(inner).oneshot(request));
    let status = answer.status().as_u16();
    let Ok(body) = block_on(answer.into_body().collect());
    (status, body.to_bytes().to_vec())
}

pub(crate) fn ann() -> Principal {
    Principal::user("https://auth.example.com", "ann")
        .roles(["viewer"])
        .build("test")
}

pub(crate) static POLICY: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let policy = Policy::builder()
        .role("viewer", [])
        .role("admin", [])
        .rule(Rule::tool("read_*").role("viewer"))
        .rule(Rule::tool("*_all").role("admin"))
        .rule(Rule::prompt("ask").identified())
        .rule(Rule::resource("file:///public/**").identified());
    Arc::new(policy.build().expect("the policy is fine"))
});

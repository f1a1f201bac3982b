use std::{convert::Infallible, sync::LazyLock};

use bartizan_core::RequestBody;
use bartizan_validate::{Answers, ValidateLayer};
use futures_executor::block_on;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::{
    list::{is_json, read, told},
    send::Frames,
    sse::messages,
};

/// An arbitrary answer to a call of a tool that says what its results are, its frames as long as the first byte says:
/// JSON if it begins with a brace, or else an event stream.
///
/// It says the same however it was cut. What passes does so byte for byte, and by a naive reading it is what the tool
/// says, or no result; after what is not, nothing passes. Where nothing is withheld, all of it passes.
pub fn tool_answer(data: &[u8]) {
    let Some((&size, body)) = data.split_first() else {
        return;
    };
    let out = through(&REFUSING, body, usize::from(size).max(1));
    let other = through(&REFUSING, body, body.len().max(1));
    assert_eq!(told(&out), told(&other), "by the cut");
    let reported = through(&REPORTING, body, usize::from(size).max(1));
    assert_eq!(reported, body, "what is reported passes");
    if is_json(body) {
        assert!(out == body || out.starts_with(REFUSAL));
        if out == body {
            assert!(may_pass(body, true), "it is not what the tool says");
        }
        return;
    }
    let (went_in, came_out) = (messages(body), messages(&out));
    for (index, message) in came_out.iter().enumerate() {
        let is_last = index + 1 == came_out.len();
        if is_last && message.starts_with(REFUSAL) {
            return;
        }
        assert_eq!(went_in.get(index), Some(message));
        let is_empty = message.trim_ascii().is_empty();
        assert!(
            is_empty || may_pass(message, false),
            "not what the tool says"
        );
    }
    assert_eq!(went_in.len(), came_out.len(), "a message is lost");
}

const REFUSAL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the tool ran"#;

const SCHEMA: &str = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;

fn may_pass(message: &[u8], is_alone: bool) -> bool {
    // Nobody reads half characters and numbers without end alike.
    let Ok(message) = read(message) else {
        return std::str::from_utf8(message).is_ok();
    };
    let Some(members) = message.as_object() else {
        return false;
    };
    let has = |name| members.contains_key(name);
    if has("method") {
        return !has("result") && !has("error") || !is_alone;
    }
    if message["id"].as_f64() != Some(1.0) {
        return false;
    }
    let Some(result) = message.get("result") else {
        return has("error");
    };
    let structured = result.get("structuredContent").unwrap_or(&Value::Null);
    let failed = result["isError"] == true;
    !has("error")
        && result.is_object()
        && (is_what_it_says(structured) || failed && structured.is_null())
}

fn is_what_it_says(structured: &Value) -> bool {
    let number = structured.get("n").and_then(Value::as_f64);
    structured.is_object() && number.is_some_and(|number| number.fract() == 0.0)
}

static REFUSING: LazyLock<ValidateLayer> = LazyLock::new(|| layer(Answers::refuse()));
static REPORTING: LazyLock<ValidateLayer> = LazyLock::new(|| layer(Answers::report()));

fn layer(answers: Answers) -> ValidateLayer {
    ValidateLayer::new()
        .without_learning()
        .danger_without_schema("count")
        .output_schema("count", SCHEMA)
        .expect("the schema is fine")
        .answers(answers.bytes(1024).expect("the bound is fine"))
}

fn through(judging: &ValidateLayer, body: &[u8], frame: usize) -> Vec<u8> {
    let media = match is_json(body) {
        true => "application/json",
        false => "text/event-stream",
    };
    let inner = service_fn(|_: Request<RequestBody<Frames>>| {
        let answer = Response::builder().header("content-type", media);
        let answer = answer.body(Frames::new(body, frame));
        async { Ok::<_, Infallible>(answer.expect("the head is fine")) }
    });
    const CALL: &[u8] =
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count"}}"#;
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = request.body(Frames::new(CALL, CALL.len()));
    let Ok(answer) = block_on(
        judging
            .layer(inner)
            .oneshot(request.expect("the head is fine")),
    );
    assert_eq!(answer.status(), 200);
    let Ok(body) = block_on(answer.into_body().collect());
    body.to_bytes().to_vec()
}

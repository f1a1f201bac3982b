//! How it ended, as the end of the answer tells.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bartizan_audit::{AuditLayer, Records};
use bartizan_core::{CallLayer, FakeClock, Finding, RequestBody, SecurityContext, Verdict};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::common::*;

/// Frames one by one, then an error if it is told so. Never tells its length.
struct Frames {
    left: VecDeque<Bytes>,
    fails: bool,
    panics: bool,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let next = self.left.pop_front();
        Poll::Ready(match next {
            Some(frame) => Some(Ok(Frame::data(frame))),
            None if self.panics => panic!("as told"),
            None => self.fails.then_some(Err("broken")),
        })
    }
}

/// What an answer looks like, and how much of it is read.
struct Case {
    request: Request<Body>,
    media: &'static str,
    encoding: Option<&'static str>,
    frames: Vec<String>,
    fails: bool,
    panics: bool,
    /// Of frames that are asked for before the body is dropped.
    polls: usize,
}

fn case(media: &'static str, frames: &[&str]) -> Case {
    Case {
        request: as_ann(call_tool("create_ticket")),
        media,
        encoding: None,
        frames: frames.iter().map(|&frame| frame.to_owned()).collect(),
        fails: false,
        panics: false,
        polls: usize::MAX,
    }
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

async fn recorded(case: Case) -> Value {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).clock(FakeClock::at(NOW));
    let frames: VecDeque<Bytes> = case.frames.into_iter().map(Bytes::from).collect();
    let (fails, panics, media, encoding) = (case.fails, case.panics, case.media, case.encoding);
    let inner = service_fn(move |_: Request<RequestBody<Body>>| {
        let left = frames.clone();
        let body = Frames {
            left,
            fails,
            panics,
        };
        let mut answer = Response::builder().header("content-type", media);
        if let Some(encoding) = encoding {
            answer = answer.header("content-encoding", encoding);
        }
        async move { Ok::<_, Infallible>(answer.body(body).unwrap()) }
    });
    let service = layer.layer(CallLayer::new().layer(inner));
    let answer = service.oneshot(case.request).await.unwrap();
    assert!(records.lines().is_empty(), "it has not ended");
    let polls = case.polls;
    let body = answer.into_body();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let mut body = pin!(body);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(&mut cx) else {
                break;
            };
        }
    }));
    drop(caught);
    only(&records)
}

#[tokio::test]
async fn failures_inside_of_a_200_are_failures() {
    for (frames, outcome, result, answer, code) in [
        (
            &[r#"{"id":7,"result":{}}"#][..],
            "admitted",
            "success",
            "result",
            Value::Null,
        ),
        (
            &[r#"{"id":7,"result":{"isEr"#, r#"ror":true}}"#],
            "admitted",
            "failure",
            "tool_error",
            Value::Null,
        ),
        (
            &[r#"{"id":7,"error":{"code":-32602,"message":"no"}}"#],
            "admitted",
            "failure",
            "rpc_error",
            json!(-32602),
        ),
        (
            &[r#"{"id":7,"error":{"code":-32603}}"#],
            "failed",
            "error",
            "rpc_error",
            json!(-32603),
        ),
        (&["<html>"], "admitted", "success", "malformed", Value::Null),
        (
            &[r#"{"id":7,"result""#],
            "admitted",
            "success",
            "malformed",
            Value::Null,
        ),
        (&[], "admitted", "success", "missing", Value::Null),
    ] {
        let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
        let record = recorded(case(JSON, frames)).await;
        assert_eq!(record["outcome"], outcome, "{frames:?}");
        assert_eq!(record["result"], result, "{frames:?}");
        assert_eq!(record["answer"], answer, "{frames:?}");
        assert_eq!(record["rpc_code"], code, "{frames:?}");
        assert_eq!(record["response_bytes"], bytes, "{frames:?}");
    }
}

#[tokio::test]
async fn a_stream_is_judged_at_its_end_by_the_answer_to_the_request() {
    let progress = "data: {\"method\":\"notifications/progress\"}\n\n";
    let answer = "data: {\"id\":7,\"result\":{\"isError\":true,\"resultType\":\"complete\"}}\n\n";
    let record = recorded(case(EVENTS, &[progress, answer])).await;
    assert_eq!(record["answer"], "tool_error");
    assert_eq!(record["metadata"]["result_type"], "complete");
    // Whoever has the answer may leave.
    let left = Case {
        polls: 2,
        ..case(EVENTS, &[progress, answer, progress])
    };
    assert_eq!(recorded(left).await["outcome"], "admitted");
    let left = Case {
        polls: 1,
        ..case(EVENTS, &[progress, answer])
    };
    let record = recorded(left).await;
    assert_eq!(
        (&record["outcome"], &record["status"]),
        (&json!("aborted"), &json!(200))
    );
    assert_eq!(record["answer"], Value::Null);
    let other = "data: {\"id\":\"7\",\"result\":{}}\n\n";
    assert_eq!(recorded(case(EVENTS, &[other])).await["answer"], "missing");
}

#[tokio::test]
async fn an_answer_that_is_dropped_breaks_or_panics_midway_is_no_success() {
    let half = r#"{"id":7,"#;
    let dropped = Case {
        polls: 1,
        ..case(JSON, &[half, "\"result\":{}}"])
    };
    let record = recorded(dropped).await;
    assert_eq!(
        (&record["outcome"], &record["result"]),
        (&json!("aborted"), &json!("aborted"))
    );
    assert_eq!(record["response_bytes"], half.len());
    let broken = Case {
        fails: true,
        ..case(JSON, &[half])
    };
    assert_eq!(recorded(broken).await["outcome"], "failed");
    let panics = Case {
        panics: true,
        ..case(JSON, &[half])
    };
    assert_eq!(recorded(panics).await["outcome"], "panicked");
}

#[tokio::test]
async fn what_is_encoded_or_of_another_type_is_said_to_be_unread() {
    let failed = r#"{"id":7,"result":{"isError":true}}"#;
    let encoded = Case {
        encoding: Some("gzip"),
        ..case(JSON, &[failed])
    };
    assert_eq!(recorded(encoded).await["answer"], "unread");
    assert_eq!(
        recorded(case("text/plain", &[failed])).await["answer"],
        "unread"
    );
}

#[tokio::test]
async fn who_leaves_a_stream_of_its_own_did_nothing_wrong() {
    let stream = Case {
        request: Request::get("/mcp").body(Body::default()).unwrap(),
        polls: 1,
        ..case(EVENTS, &["data: {}\n\n", "data: {}\n\n"])
    };
    let record = recorded(stream).await;
    assert_eq!(
        (&record["event_type"], &record["outcome"]),
        (&json!("stream"), &json!("admitted"))
    );
    assert_eq!(record["answer"], Value::Null, "none was wanted");
}

#[tokio::test]
async fn an_id_with_escapes_hides_no_failure() {
    let body = r#"{"jsonrpc":"2.0","id":"\u0061\ud83d\ude00","method":"tools/call","params":{"name":"t"}}"#;
    let hidden = Case {
        request: rpc(body),
        ..case(
            EVENTS,
            &["data: {\"id\":\"a😀\",\"error\":{\"code\":5}}\n\n"],
        )
    };
    assert_eq!(recorded(hidden).await["rpc_code"], 5);
}

#[tokio::test]
async fn a_handler_that_refuses_while_its_answer_streams_does_so_in_the_same_record() {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone());
    let mut request = empty();
    let context = SecurityContext::of(&mut request);
    let inner = service_fn(|_: Request<Body>| async {
        Ok::<_, Infallible>(Response::new(Frames {
            left: [Bytes::from_static(b"x")].into(),
            fails: false,
            panics: false,
        }))
    });
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    let mut body = pin!(answer.into_body());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    context.record(|| Finding::new("caller", Verdict::Refused, "forbidden", "needs more"));
    assert!(body.as_mut().poll_frame(&mut cx).is_ready());
    let record = only(&records);
    assert_eq!(record["outcome"], "refused");
    assert_eq!(record["event_type"], "authorization_denied");
}

#[tokio::test]
async fn the_trace_of_the_call_counts_before_that_of_the_header() {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{
        "traceparent":"00-11111111111111111111111111111111-2222222222222222-00"}}}"#;
    let mut request = rpc(body);
    let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request
        .headers_mut()
        .insert("traceparent", header.parse().unwrap());
    let record = of_call(request).await;
    assert_eq!(record["trace_id"], "1".repeat(32));
    assert_eq!(record["metadata"]["parent_id"], "2".repeat(16));
}

#[tokio::test]
async fn a_destructive_tool_is_marked_and_a_refusal_of_it_is_an_attempt_to_escalate() {
    for (tool, refused, severity, classes) in [
        (
            "delete_note",
            false,
            "notice",
            &["authentication_success", "destructive_operation"][..],
        ),
        ("read_note", false, "info", &["authentication_success"]),
        (
            "delete_note",
            true,
            "warning",
            &[
                "authentication_success",
                "authorization_denied",
                "destructive_operation",
                "privilege_escalation_attempt",
            ],
        ),
    ] {
        let records = Records::new();
        let layer = AuditLayer::new(records.clone());
        let layer = layer.destructive(["delete_*"]).unwrap();
        let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
            if refused {
                SecurityContext::of(&mut request)
                    .record(|| Finding::new("caller", Verdict::Refused, "forbidden", "no"));
            }
            async { Ok::<_, Infallible>(ok()) }
        });
        let service = layer.layer(CallLayer::new().layer(inner));
        service.oneshot(as_ann(call_tool(tool))).await.unwrap();
        let record = only(&records);
        assert_eq!(record["severity"], severity);
        assert_eq!(record["classes"], json!(classes));
    }
    let error = AuditLayer::new(Records::new())
        .destructive(["a?b"])
        .unwrap_err();
    assert!(error.to_string().contains("a?b"), "{error}");
}

//! `CallLayer` from outside: what reaches the inner service, and what is answered instead.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bartizan_core::{
    Call, CallKind, CallLayer, CallLimits, Denial, DenialKind, RequestBody, SecurityContext,
    call::{Begun, MirroredParams, ReadCall, Subject},
};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Debug, Clone)]
struct Seen {
    call: Call,
    body: Bytes,
}

/// Sends a request through the layer: the answer, and what the inner service saw.
async fn send<B>(layer: CallLayer, request: Request<B>) -> (Response<Bytes>, Option<Seen>)
where
    B: Body<Data = Bytes> + 'static,
    B::Error: std::fmt::Debug,
{
    let seen = Arc::new(Mutex::new(None));
    let inner = service_fn(|mut request: Request<RequestBody<B>>| {
        let seen = Arc::clone(&seen);
        async move {
            let call = SecurityContext::of(&mut request).call().unwrap().clone();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            *seen.lock().unwrap() = Some(Seen { call, body });
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"{}"))))
        }
    });
    let (parts, body) = layer
        .layer(inner)
        .oneshot(request)
        .await
        .unwrap()
        .into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = seen.lock().unwrap().take();
    (Response::from_parts(parts, body), seen)
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"a":[1]}}}"#;

#[derive(Deserialize)]
struct Vector {
    name: String,
    source: String,
    body: String,
    headers: BTreeMap<String, OneOrMany>,
    status: u16,
    code: Option<i64>,
    id: Option<Value>,
    method: Option<String>,
    subject: Option<String>,
    kind: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Vector {
    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = post(self.body.clone());
        for (name, values) in &self.headers {
            let name: http::HeaderName = name.parse().unwrap();
            let values = match values {
                OneOrMany::One(value) => std::slice::from_ref(value),
                OneOrMany::Many(values) => values,
            };
            request.headers_mut().remove(&name);
            for value in values {
                request.headers_mut().append(&name, value.parse().unwrap());
            }
        }
        request
    }
}

#[tokio::test]
async fn every_message_vector_is_judged_as_written() {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../../../tests/vectors/messages.json")).unwrap();
    assert!(vectors.len() > 100);
    for vector in vectors {
        let about = format!("{} ({})", vector.name, vector.source);
        let (response, seen) = send(CallLayer::new(), vector.request()).await;
        assert_eq!(response.status(), vector.status, "{about}");
        if vector.status == 200 {
            let Seen { call, body } = seen.unwrap();
            assert_eq!(body, vector.body, "{about}");
            if let Some(method) = vector.method {
                assert_eq!(call.method(), method, "{about}");
            }
            assert_eq!(call.name(), vector.subject.as_deref(), "{about}");
            if let Some(kind) = vector.kind {
                assert_eq!(format!("{:?}", call.kind()), kind, "{about}");
            }
        } else {
            assert!(seen.is_none(), "{about}: reached the inner service");
            assert!(response.extensions().get::<Denial>().is_some(), "{about}");
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"]["code"].as_i64(), vector.code, "{about}");
            assert_eq!(body.get("id").cloned(), vector.id, "{about}");
        }
    }
}

/// Size, depth, repeated keys, batches, lying headers, media type and UTF-8: one body each.
#[tokio::test]
async fn seed_v9_size_depth_duplicates_batches_headers_media_and_utf8_are_checked() {
    let with = |name: &'static str, value: &'static str| {
        let mut request = post(CALL);
        let value = http::HeaderValue::from_static(value);
        request.headers_mut().insert(name, value);
        request
    };
    for (status, request) in [
        (413, post(vec![b' '; (4 << 20) + 1])),
        (400, post("[".repeat(100))),
        (
            400,
            post(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#),
        ),
        (400, post(format!("[{CALL}]"))),
        (400, with("mcp-method", "tools/list")),
        (400, with("mcp-name", "y")),
        (415, with("content-type", "text/plain")),
        (
            400,
            post(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..]),
        ),
    ] {
        let (response, seen) = send(CallLayer::new(), request).await;
        assert_eq!(response.status(), status);
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn n_3_an_unknown_version_names_the_supported_ones() {
    let mut request = post(CALL);
    request
        .headers_mut()
        .insert("mcp-protocol-version", "1900-01-01".parse().unwrap());
    let (response, _) = send(CallLayer::new(), request).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["error"]["data"]["requested"], "1900-01-01");
    let supported = body["error"]["data"]["supported"].as_array().unwrap();
    assert!(supported.contains(&Value::from("2026-07-28")));
}

#[tokio::test]
async fn invalid_utf8_is_refused_as_broken_json() {
    let body = [CALL.replace("\"x\"", "\"").as_bytes(), b"\xff\"}}"].concat();
    let (response, seen) = send(CallLayer::new(), post(body)).await;
    assert_eq!(response.status(), 400);
    assert!(seen.is_none());
}

#[tokio::test]
async fn ph_5_ids_are_echoed_with_their_json_type() {
    for id in ["1", "\"1\"", "-12345678901234567890", "\"\\u0041\""] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call"}}"#);
        let (response, _) = send(CallLayer::new(), post(body)).await;
        let text = std::str::from_utf8(response.body()).unwrap().to_owned();
        assert!(text.contains(&format!(r#""id":{id},"#)), "{text}");
    }
}

#[tokio::test]
async fn arguments_params_and_measures_are_read_in_place() {
    let (_, seen) = send(CallLayer::new(), post(CALL)).await;
    let call = seen.unwrap().call;
    assert_eq!(call.arguments(), Some(r#"{"a":[1]}"#));
    assert_eq!(call.params(), Some(r#"{"name":"x","arguments":{"a":[1]}}"#));
    assert_eq!(call.id(), Some("7"));
    let measures = call.measures();
    assert_eq!(measures.bytes, CALL.len());
    assert_eq!(
        (measures.depth, measures.members, measures.elements),
        (4, 4, 1)
    );
    let detached = call.detached();
    assert_eq!(detached.arguments(), call.arguments());
    assert_eq!(
        (detached.name(), detached.body()),
        (call.name(), call.body())
    );
    assert_ne!(detached.body().as_ptr(), call.body().as_ptr());
}

#[tokio::test]
async fn get_and_delete_are_calls_and_other_methods_are_405() {
    for (method, kind) in [
        (Method::GET, CallKind::Stream),
        (Method::DELETE, CallKind::EndSession),
    ] {
        let mut request = post("");
        *request.method_mut() = method;
        let (response, seen) = send(CallLayer::new(), request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(seen.unwrap().call.kind(), kind);
    }
    for method in [Method::PUT, Method::PATCH, Method::HEAD, Method::OPTIONS] {
        let mut request = post(CALL);
        *request.method_mut() = method;
        let (response, seen) = send(CallLayer::new(), request).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST, GET, DELETE");
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn a_get_that_brings_a_body_or_mirrored_headers_is_refused() {
    for (name, value) in [
        ("content-length", "5"),
        ("content-length", "x"),
        ("transfer-encoding", "chunked"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "x"),
        ("mcp-protocol-version", "1900-01-01"),
    ] {
        let request = Request::get("/mcp")
            .header(name, value)
            .body(Full::new(Bytes::new()))
            .unwrap();
        let (response, seen) = send(CallLayer::new(), request).await;
        assert_eq!(response.status(), 400, "{name}: {value}");
        assert!(seen.is_none());
    }
}

/// A body that yields its frames one at a time, and then waits for ever if told to.
struct Frames {
    frames: Vec<Bytes>,
    then_hang: bool,
    polled: Arc<Mutex<usize>>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.frames.is_empty() {
            return if self.then_hang {
                Poll::Pending
            } else {
                Poll::Ready(None)
            };
        }
        *self.polled.lock().unwrap() += 1;
        Poll::Ready(Some(Ok(Frame::data(self.frames.remove(0)))))
    }
}

fn streamed(frames: Vec<Bytes>, then_hang: bool) -> (Request<Frames>, Arc<Mutex<usize>>) {
    let polled = Arc::new(Mutex::new(0));
    let body = Frames {
        frames,
        then_hang,
        polled: Arc::clone(&polled),
    };
    (post("").map(|_| body), polled)
}

/// A body that is there only when it is asked again.
struct Late {
    not_yet: u8,
    body: Full<Bytes>,
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.not_yet > 0 {
            self.not_yet -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

fn late(body: impl Into<Bytes>, not_yet: u8) -> Request<Late> {
    post(body).map(|body| Late { not_yet, body })
}

#[tokio::test]
async fn a_late_body_is_read_as_one_that_is_there() {
    for not_yet in 0..4 {
        let (response, seen) = send(CallLayer::new(), late(CALL, not_yet)).await;
        assert_eq!(response.status(), 200, "{not_yet}");
        assert_eq!(seen.unwrap().body, CALL);
        let (response, seen) = send(CallLayer::new(), late("[]", not_yet)).await;
        assert_eq!(response.status(), 400, "{not_yet}");
        assert!(seen.is_none());
    }
}

#[tokio::test]
async fn a_body_that_is_there_is_read_at_once() {
    let begin = |not_yet| {
        let context = SecurityContext::default();
        ReadCall::begin(late(CALL, not_yet), &context, CallLimits::new()).unwrap()
    };
    assert!(matches!(begin(0), Begun::Known(_)));
    assert!(matches!(begin(1), Begun::Read(_)));
}

#[tokio::test]
async fn iv_6_a_chunked_body_is_counted_while_it_streams() {
    let limits = CallLimits::new().with_body_bytes(100).unwrap();
    let (request, polled) = streamed(vec![Bytes::from(vec![b' '; 40]); 1000], false);
    let (response, seen) = send(CallLayer::with_limits(limits), request).await;
    assert_eq!(response.status(), 413);
    assert_eq!(
        *polled.lock().unwrap(),
        3,
        "stops at the frame that exceeds"
    );
    assert!(seen.is_none());
}

#[tokio::test]
async fn iv_6_a_declared_length_beyond_the_limit_is_refused_unread() {
    let (mut request, polled) = streamed(vec![Bytes::from_static(b"x")], false);
    request
        .headers_mut()
        .insert("content-length", "5000000".parse().unwrap());
    let (response, _) = send(CallLayer::new(), request).await;
    assert_eq!(response.status(), 413);
    assert_eq!(*polled.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_body_at_the_limit_in_many_frames_arrives_whole() {
    let limits = CallLimits::new().with_body_bytes(CALL.len()).unwrap();
    let frames = CALL
        .as_bytes()
        .chunks(7)
        .map(Bytes::copy_from_slice)
        .collect();
    let (request, _) = streamed(frames, false);
    let (response, seen) = send(CallLayer::with_limits(limits), request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(seen.unwrap().body, CALL);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_dribbles_beyond_the_upload_time_is_408() {
    let limits = CallLimits::new()
        .with_upload_time(Duration::from_secs(2))
        .unwrap();
    let (request, _) = streamed(vec![Bytes::from_static(b"{")], true);
    let start = tokio::time::Instant::now();
    let (response, seen) = send(CallLayer::with_limits(limits), request).await;
    assert_eq!(response.status(), 408);
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert!(seen.is_none());
}

#[tokio::test]
async fn depth_10_000_is_refused_without_exhausting_the_stack() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let limits = CallLimits::new().with_depth(128).unwrap();
    let (response, _) = send(CallLayer::with_limits(limits), post(deep)).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn members_beyond_the_limit_are_refused_and_at_the_limit_pass() {
    let object = |count: usize| {
        let members: Vec<_> = (0..count).map(|i| format!(r#""k{i}":{i}"#)).collect();
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{{{}}}}}}}"#,
            members.join(",")
        )
    };
    let limits = CallLimits::new().with_members(100).unwrap();
    let layer = CallLayer::with_limits(limits);
    assert_eq!(send(layer.clone(), post(object(100))).await.0.status(), 200);
    assert_eq!(send(layer, post(object(101))).await.0.status(), 400);
}

#[tokio::test]
async fn a_member_repeated_among_many_is_found() {
    for (count, repeated) in [(15, 0), (16, 0), (17, 0), (17, 16), (40, 20), (3000, 1)] {
        let mut members: Vec<_> = (0..count).map(|i| format!(r#""k{i}":0"#)).collect();
        members.push(format!(r#""k{repeated}":1"#));
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{{{}}},"b":{{"k1":1}}}}}}"#,
            members.join(",")
        );
        let (response, _) = send(CallLayer::new(), post(body)).await;
        assert_eq!(response.status(), 400, "{count} members, {repeated} again");
    }
}

#[tokio::test]
async fn a_second_layer_hands_on_the_calls_own_bytes() {
    let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let inner = CallLayer::new().layer(inner);
    // Something between two guards swaps the body for another call.
    let tampering = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
        let swapped = request.map(|_| Full::new(Bytes::from(CALL.replace("\"x\"", "\"evil\""))));
        inner.clone().oneshot(swapped)
    });
    let response = CallLayer::new()
        .layer(tampering)
        .oneshot(post(CALL))
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, CALL);
}

#[tokio::test]
async fn iv_12_whatever_comes_with_a_calls_own_bytes_a_second_layer_hands_on_these_alone() {
    let own = Bytes::from(CALL);
    for frames in [
        vec![own.clone()],
        vec![own.clone(), Bytes::from("more")],
        vec![own.slice(..9), own.slice(9..)],
        vec![own.slice(..9)],
        vec![Bytes::new(), own.clone()],
        vec![Bytes::from(CALL.to_owned())],
        vec![],
    ] {
        for then_hang in [false, true] {
            let context = SecurityContext::default();
            let known = |mut request: Request<Frames>| {
                request.extensions_mut().insert(context.clone());
                ReadCall::begin(request, &context, CallLimits::new()).unwrap()
            };
            for frames in [vec![own.clone()], frames.clone()] {
                let is_first = context.call().is_none();
                let Begun::Known(request) = known(streamed(frames, then_hang && !is_first).0)
                else {
                    unreachable!("it is there, or known");
                };
                let body = request.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body.as_ptr_range(), own.as_ptr_range());
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_names_its_kind_and_leaks_no_input() {
    let request = post(CALL.replace("tools/call", "tools/call\",\"method\":\"s3cret"));
    let (response, _) = send(CallLayer::new(), request).await;
    let denial = response.extensions().get::<Denial>().unwrap();
    assert_eq!(denial.kind(), DenialKind::MessageInvalid);
    assert!(!String::from_utf8_lossy(response.body()).contains("s3cret"));
}

/// As over HTTP/2, where no header need announce a body.
#[tokio::test]
async fn a_get_brings_no_unread_body_inwards() {
    for method in [Method::GET, Method::DELETE] {
        let (request, _) = streamed(vec![Bytes::from(CALL)], false);
        let mut request = request;
        request.headers_mut().clear();
        *request.method_mut() = method;
        let (response, seen) = send(CallLayer::new(), request).await;
        assert_eq!(response.status(), 200);
        assert!(seen.unwrap().body.is_empty());
    }
}

#[tokio::test]
async fn a_method_changed_between_two_layers_brings_no_unread_body_inwards() {
    let inner = service_fn(
        |request: Request<RequestBody<RequestBody<Frames>>>| async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        },
    );
    let inner = CallLayer::new().layer(inner);
    let overriding = service_fn(move |mut request: Request<RequestBody<Frames>>| {
        *request.method_mut() = Method::POST;
        inner.clone().oneshot(request)
    });
    let (mut request, _) = streamed(vec![Bytes::from(CALL)], false);
    request.headers_mut().clear();
    *request.method_mut() = Method::GET;
    let response = CallLayer::new()
        .layer(overriding)
        .oneshot(request)
        .await
        .unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.is_empty());
}

#[tokio::test]
async fn two_requests_on_one_context_cannot_show_one_call_and_send_another() {
    let context = SecurityContext::default();
    let begin = |body: String| {
        let mut request = late(body, 1);
        request.extensions_mut().insert(context.clone());
        match ReadCall::begin(request, &context, CallLimits::new()).unwrap() {
            Begun::Read(read) => read,
            Begun::Known(_) => unreachable!("nothing is known yet"),
        }
    };
    let (first, second) = (begin(CALL.into()), begin(CALL.replace("\"x\"", "\"evil\"")));
    first.await.unwrap();
    let body = second.await.unwrap().into_body();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(&body, context.call().unwrap().body());
}

#[tokio::test]
async fn endless_empty_frames_end() {
    let (request, polled) = streamed(vec![Bytes::new(); 5000], false);
    let (response, _) = send(CallLayer::new(), request).await;
    assert_eq!(response.status(), 400);
    assert!(*polled.lock().unwrap() < 2000);
}

#[tokio::test]
async fn a_completion_tells_prompt_from_resource() {
    for (kind, member, subject) in [
        ("ref/prompt", "name", Subject::Prompt),
        ("ref/resource", "uri", Subject::Resource),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{{"ref":{{"type":"{kind}","{member}":"x"}}}}}}"#
        );
        let (_, seen) = send(CallLayer::new(), post(body)).await;
        assert_eq!(seen.unwrap().call.subject(), Some(subject));
    }
}

#[tokio::test]
async fn iv_6_an_inner_layer_with_tighter_limits_judges_the_known_call() {
    let limits = CallLimits::new();
    for (tighter, status) in [
        (limits.with_body_bytes(CALL.len() - 1).unwrap(), 413),
        (limits.with_body_bytes(CALL.len()).unwrap(), 200),
        (limits.with_depth(4).unwrap(), 200),
        (limits.with_depth(5).unwrap(), 200),
        (limits.with_members(16).unwrap(), 200),
    ] {
        assert_eq!(send_twice(tighter, CALL.to_owned()).await, status);
    }
    let deep = CALL.replace("[1]", "[[1]]");
    assert_eq!(send_twice(limits.with_depth(4).unwrap(), deep).await, 400);
    let members: Vec<_> = (0..17).map(|i| format!(r#""k{i}":0"#)).collect();
    let wide = CALL.replace(r#""a":[1]"#, &members.join(","));
    assert_eq!(
        send_twice(limits.with_members(16).unwrap(), wide).await,
        400
    );
}

/// Through a layer with the default limits, and inside it one with others.
async fn send_twice(inner_limits: CallLimits, body: String) -> u16 {
    let inner = service_fn(|_: Request<RequestBody<RequestBody<Full<Bytes>>>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let inner = CallLayer::with_limits(inner_limits).layer(inner);
    let response = CallLayer::new().layer(inner).oneshot(post(body)).await;
    response.unwrap().status().as_u16()
}

/// N-7: what `Mcp-Param-*` mirrors is what the argument says, at its exact path.
#[tokio::test]
async fn n_7_mirrored_parameters_agree_with_the_arguments() {
    let schema = r#"{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "to":{"type":"object","properties":{"count":{"type":"integer","x-mcp-header":"Count"}}}}}"#;
    let params = MirroredParams::new().schema("deploy", schema).unwrap();
    let layer = CallLayer::new().mirrored_params(params);
    let both = r#"{"region":"eu","to":{"count":42}}"#;
    for (modern, arguments, headers, status) in [
        (true, both, &[("region", "eu"), ("count", "42")][..], 200),
        (true, both, &[("region", "eu"), ("count", "42.0")], 200),
        (
            true,
            both,
            &[("region", "=?base64?ZXU=?="), ("count", "42")],
            200,
        ),
        (true, both, &[("region", "us"), ("count", "42")], 400),
        (true, both, &[("region", "EU"), ("count", "42")], 400),
        (true, both, &[("region", "eu"), ("count", "43")], 400),
        (true, both, &[("region", "eu")], 400),
        (true, r#"{"region":null}"#, &[], 200),
        (true, "{}", &[], 200),
        (true, r#"{"region":null}"#, &[("region", "eu")], 400),
        (true, r#"{"to":{"region":"eu"}}"#, &[("region", "eu")], 400),
        (true, r#"{"region":["eu"]}"#, &[("region", "eu")], 400),
        (true, "{}", &[("other", "anything")], 200),
        (false, both, &[], 200),
        (false, both, &[("region", "eu")], 200),
        (false, both, &[("region", "us")], 400),
    ] {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
        let meta = if modern { meta } else { r#""_meta":{}"# };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"deploy","arguments":{arguments},{meta}}}}}"#
        );
        let mut request = post(body);
        if modern {
            for (name, value) in [
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "deploy"),
            ] {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        for (name, value) in headers {
            let name: http::HeaderName = format!("mcp-param-{name}").parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let about = format!("modern {modern}, {arguments}, {headers:?}");
        let (response, seen) = send(layer.clone(), request).await;
        assert_eq!(response.status(), status, "{about}");
        assert_eq!(seen.is_some(), status == 200, "{about}");
        if status == 400 {
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"]["code"], -32020, "{about}");
            assert_eq!(body["id"], 7, "{about}");
        }
    }
}

/// Also where an outer layer read the call, and this one only compares.
#[tokio::test]
async fn n_7_a_call_that_is_known_is_compared_as_well() {
    let params = MirroredParams::new().argument("x", "A", ["a"]).unwrap();
    let inner = service_fn(|_: Request<RequestBody<RequestBody<Full<Bytes>>>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let inner = CallLayer::new().mirrored_params(params).layer(inner);
    let mut request = post(CALL);
    let lie = http::HeaderValue::from_static("1");
    request.headers_mut().insert("mcp-param-a", lie);
    let response = CallLayer::new()
        .layer(inner)
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(response.status(), 400);
}

/// A JSON text of any shape.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_é]{0,3}", inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #[test]
    fn any_arguments_arrive_byte_for_byte(arguments in any_json()) {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","arguments": {arguments} }}}}"#
        );
        let (response, seen) = block(send(CallLayer::new(), post(body.clone())));
        prop_assert_eq!(response.status(), 200);
        let seen = seen.unwrap();
        prop_assert_eq!(&seen.body, &body);
        prop_assert_eq!(seen.call.arguments(), Some(&*arguments.to_string()));
    }

    /// What passes here, another strict reader reads the same way.
    #[test]
    fn what_passes_reads_the_same_to_serde_json(
        body in prop_oneof![
            any::<Vec<u8>>(),
            r#"[\[\]{}:,"0-9a-z\\eE.+\- ]{0,40}"#.prop_map(String::into_bytes),
            r#"\{"jsonrpc":"2.0","id":("[a-z\\]{0,3}"|[0-9.e-]{1,4}|null),"method":"[a-z/\\u0064]{0,8}"(,"[a-z]{1,2}":[0-9a-z"]{1,3}){0,2}\}"#
                .prop_map(String::into_bytes),
        ]
    ) {
        let (response, seen) = block(send(CallLayer::new(), post(body.clone())));
        match seen {
            Some(seen) => {
                let value: Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(value["method"].as_str().unwrap_or_default(), seen.call.method());
                let id: Option<Value> = seen.call.id().map(|id| serde_json::from_str(id).unwrap());
                prop_assert_eq!(value.get("id"), id.as_ref());
            }
            None => prop_assert!(response.status().is_client_error()),
        }
    }
}

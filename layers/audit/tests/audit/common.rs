//! Requests, guards and services that behave as told.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bartizan_audit::{AuditLayer, JSON_SCHEMA, RecordedBody, Records};
use bartizan_core::{
    CallLayer, Event, Events, FakeClock, Principal, RequestBody, ResponseBody, SecurityContext,
    identify,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Map, Value};
use tower::{Layer, Service, ServiceExt, service_fn};

pub(crate) type Body = Full<Bytes>;
pub(crate) type Answer = Response<ResponseBody<Body>>;
pub(crate) type Recorded = Response<RecordedBody<Body>>;

/// 2026-11-23T15:00:00Z.
pub(crate) const NOW: Duration = Duration::from_secs(1_795_446_000);

pub(crate) fn empty() -> Request<Body> {
    Request::post("/mcp").body(Body::default()).unwrap()
}

/// A request of a revision without mirrored headers.
pub(crate) fn rpc(body: &str) -> Request<Body> {
    Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub(crate) fn call_tool(name: &str) -> Request<Body> {
    let params = serde_json::json!({ "name": name });
    let body =
        serde_json::json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
    rpc(&body.to_string())
}

pub(crate) fn ann() -> Principal {
    Principal::user("https://auth.example.com", "ann")
        .client_id("agent-7")
        .tenant("acme")
        .credential_id("jti-1")
        .roles(["developer", "viewer"])
        .scopes(["tickets.write"])
        .build("jwt")
}

pub(crate) fn as_ann(mut request: Request<Body>) -> Request<Body> {
    identify(&mut request, ann()).unwrap();
    request
}

pub(crate) fn ok() -> Response<Body> {
    Response::new(Body::default())
}

/// The layer over `inner`, with a clock that stands at [`NOW`]; its one record and its answer.
pub(crate) async fn through<F>(
    request: Request<Body>,
    inner: impl Fn(Request<Body>) -> F,
) -> (Value, Recorded)
where
    F: Future<Output = Response<Body>>,
{
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).clock(FakeClock::at(NOW));
    let inner = service_fn(|request| {
        let answer = inner(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let answer = layer.layer(inner).oneshot(request).await.unwrap();
    (only(&records), answer)
}

/// The record of a request that a call layer read and a service answered.
pub(crate) async fn of_call(request: Request<Body>) -> Value {
    let records = Records::new();
    let layer = AuditLayer::new(records.clone()).clock(FakeClock::at(NOW));
    let inner = service_fn(|_: Request<RequestBody<Body>>| async { Ok::<_, Infallible>(ok()) });
    let service = layer.layer(CallLayer::new().layer(inner));
    service.oneshot(request).await.unwrap();
    only(&records)
}

pub(crate) fn only(records: &Records) -> Value {
    let mut all = records.all();
    assert_eq!(all.len(), 1, "{:?}", records.lines());
    let record = all.remove(0);
    assert_valid(&record);
    record
}

/// That it is what the published schema says, without a member that the schema does not know.
pub(crate) fn assert_valid(record: &Value) {
    static SCHEMA: LazyLock<(Value, jsonschema::Validator)> = LazyLock::new(|| {
        let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        (schema, validator)
    });
    let (schema, validator) = &*SCHEMA;
    if let Err(error) = validator.validate(record) {
        panic!("{error}: {record}");
    }
    for (record, known) in [
        (record, "/properties"),
        (&record["metadata"], "/properties/metadata/properties"),
    ] {
        let known = schema.pointer(known).unwrap();
        // A checkpoint has no metadata; of a record the schema requires them.
        for member in record.as_object().into_iter().flat_map(Map::keys) {
            assert!(
                known.get(member).is_some(),
                "`{member}` is not in the schema"
            );
        }
    }
}

/// Events, and a list of the kinds that came.
pub(crate) fn kinds() -> (Events, Arc<Mutex<Vec<&'static str>>>) {
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&kinds);
    let events = Events::to(move |event: &Event| kept.lock().unwrap().push(event.kind));
    (events, kinds)
}

/// What an inner service does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Answer(u16),
    Refuse,
    Fail,
    PanicInCall,
    PanicInPoll,
    Never,
    AnswerLater,
}

/// A service that does one thing.
#[derive(Debug, Clone)]
pub(crate) struct Actor(pub(crate) Act);

pub(crate) struct Acting {
    act: Act,
    context: SecurityContext,
    polls: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl Service<Request<Body>> for Actor {
    type Response = Answer;
    type Error = Broken;
    type Future = Acting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Acting {
        assert_ne!(self.0, Act::PanicInCall, "as told");
        Acting {
            act: self.0,
            context: SecurityContext::of(&mut request),
            polls: 0,
        }
    }
}

impl Future for Acting {
    type Output = Result<Answer, Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        use bartizan_core::{Denial, DenialKind, refuse};
        self.polls += 1;
        match self.act {
            Act::Answer(status) => {
                let mut answer = ok().map(ResponseBody::inner);
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                Poll::Ready(Ok(answer))
            }
            Act::Refuse => {
                let denial = Denial::new(DenialKind::Forbidden, "as told");
                Poll::Ready(Ok(refuse!("actor", &self.context, denial)))
            }
            Act::Fail => Poll::Ready(Err(Broken)),
            Act::PanicInCall | Act::PanicInPoll => panic!("as told"),
            Act::AnswerLater if self.polls > 2 => Poll::Ready(Ok(ok().map(ResponseBody::inner))),
            Act::AnswerLater => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Act::Never => Poll::Pending,
        }
    }
}

//! What a record costs on its request's thread: enqueued alone, and the whole layer.
//!
//! ```sh
//! cargo bench -p bartizan-audit --bench enqueue
//! ```
//!
//! `enqueue` is reservation and hand-over to [`JsonLines`] of a record with seven findings, as a full
//! stack leaves them; the writer's thread makes lines of them meanwhile. `layer` is a request through
//! `AuditLayer`, without what its inner service costs. Allocations are printed first.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

use std::{
    convert::Infallible,
    future::ready,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use bartizan_audit::{AuditLayer, AuditSink, JsonLines, Record};
use bartizan_core::{
    CallLayer, Finding, Principal, RequestBody, SecurityContext, Verdict, identify,
};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};

type Body = Full<Bytes>;

/// Takes each record so many times, and tells how long that took.
#[derive(Clone)]
struct Repeating {
    lines: JsonLines,
    times: Arc<AtomicU64>,
    nanos: Arc<AtomicU64>,
}

impl AuditSink for Repeating {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        let (mut left, mut taken) = (self.times.load(Ordering::Relaxed), Duration::ZERO);
        while left > 0 {
            // Fewer than fill the buffer, which is waited for in between.
            let some = left.min(4096);
            let begun = Instant::now();
            for _ in 0..some {
                assert!(self.lines.reserve());
                AuditSink::write(&self.lines, record);
            }
            taken += begun.elapsed();
            self.lines.flush(Duration::from_secs(10)).unwrap();
            left -= some;
        }
        let nanos = u64::try_from(taken.as_nanos()).unwrap();
        self.nanos.store(nanos, Ordering::Relaxed);
    }
}

fn request() -> Request<Body> {
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

fn answer<B>(mut request: Request<B>) -> Response<Body> {
    let context = SecurityContext::of(&mut request);
    for guard in ["network", "cors", "address", "jwt", "ratelimit", "rbac"] {
        context.record(|| Finding::new(guard, Verdict::Allowed, "allowed", "a static reason"));
    }
    let answer =
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"noted"}]}}"#;
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(answer))
        .unwrap()
}

/// To the end of the answer.
fn drive<S, B>(service: &S, request: Request<Body>)
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let future = pin!(service.clone().call(request));
    let std::task::Poll::Ready(Ok(response)) = future.poll(&mut cx) else {
        return;
    };
    let mut body = pin!(response.into_body());
    while let std::task::Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
}

fn enqueue(c: &mut Criterion) {
    let sink = Repeating {
        lines: JsonLines::to(io::sink()),
        times: Arc::new(AtomicU64::new(1)),
        nanos: Arc::default(),
    };
    let inner = CallLayer::new().layer(service_fn(|request: Request<RequestBody<Body>>| {
        ready(Ok::<_, Infallible>(answer(request)))
    }));
    let bare = inner.clone();
    let service = AuditLayer::new(sink.clone()).layer(inner.clone());
    let counted = |times| {
        sink.times.store(times, Ordering::Relaxed);
        let request = request();
        allocation_counter::measure(|| drive(&service, request)).count_total
    };
    counted(4096);
    println!(
        "enqueue: {} allocations in 1000 records",
        counted(1001) - counted(1)
    );
    c.bench_function("enqueue", |b| {
        b.iter_custom(|count| {
            sink.times.store(count, Ordering::Relaxed);
            drive(&service, request());
            Duration::from_nanos(sink.nanos.load(Ordering::Relaxed))
        });
    });
    c.bench_function("layer/none", |b| {
        b.iter_batched(
            request,
            |request| drive(&bare, request),
            BatchSize::SmallInput,
        );
    });
    let recorded = AuditLayer::new(JsonLines::to(io::sink())).layer(inner);
    c.bench_function("layer/recorded", |b| {
        b.iter_batched(
            request,
            |request| drive(&recorded, request),
            BatchSize::SmallInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = enqueue
}
criterion_main!(benches);

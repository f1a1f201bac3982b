//! What a record costs on its request's thread: enqueued alone, and the whole layer.
//!
//! ```sh
//! cargo bench -p bartizan-audit --bench enqueue
//! ```
//!
//! `enqueue` is reservation and hand-over to [`JsonLines`] of a record with seven findings, as a full
//! stack leaves them; the writer's thread makes lines of them meanwhile. `layer/recorded` is a request
//! through `AuditLayer`, `layer/none` the same without it, for which no guard's finding is made either: what
//! the layer costs is the difference. Allocations are printed first.
//!
//! The time is the thread's own where the system tells it: by the clock on the wall the writer's thread, and
//! whatever else runs, counts as well, which on few cores is more than the layer.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

mod asked;

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
    time::Duration,
};

use bartizan_audit::{AuditLayer, AuditSink, JsonLines, Record};
use bartizan_core::{CallLayer, RequestBody};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};

use asked::{Body, leave_findings, request};

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
            let begun = own_time();
            for _ in 0..some {
                assert!(self.lines.reserve());
                AuditSink::write(&self.lines, record);
            }
            taken += own_time() - begun;
            self.lines.flush(Duration::from_secs(10)).unwrap();
            left -= some;
        }
        let nanos = u64::try_from(taken.as_nanos()).unwrap();
        self.nanos.store(nanos, Ordering::Relaxed);
    }
}

#[cfg(unix)]
fn own_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

#[cfg(not(unix))]
fn own_time() -> Duration {
    static BEGUN: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    BEGUN.elapsed()
}

fn answer<B>(mut request: Request<B>) -> Response<Body> {
    leave_findings(&mut request);
    let answer =
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"noted"}]}}"#;
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(answer))
        .unwrap()
}

/// To the end of the answer, if there is one; its status.
fn drive<S, B>(service: &S, request: Request<Body>) -> Option<StatusCode>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body<Data = Bytes>,
{
    let mut cx = Context::from_waker(Waker::noop());
    let future = pin!(service.clone().call(request));
    let std::task::Poll::Ready(Ok(response)) = future.poll(&mut cx) else {
        return None;
    };
    let status = response.status();
    let mut body = pin!(response.into_body());
    while let std::task::Poll::Ready(Some(_)) = body.as_mut().poll_frame(&mut cx) {}
    Some(status)
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
        allocation_counter::measure(|| assert!(drive(&service, request).is_some())).count_total
    };
    counted(4096);
    println!(
        "enqueue: {} allocations in 1000 records",
        counted(1001) - counted(1)
    );
    c.bench_function("enqueue", |b| {
        b.iter_custom(|count| {
            sink.times.store(count, Ordering::Relaxed);
            assert!(drive(&service, request()).is_some());
            Duration::from_nanos(sink.nanos.load(Ordering::Relaxed))
        });
    });
    let lines = JsonLines::to(io::sink());
    let recorded = AuditLayer::new(lines.clone()).layer(inner);
    for (name, is_recorded) in [("layer/none", false), ("layer/recorded", true)] {
        c.bench_function(name, |b| {
            b.iter_custom(|count| {
                let (mut left, mut taken) = (count, Duration::ZERO);
                while left > 0 {
                    // Fewer than fill the buffer: when it is full requests are refused, which is fast. And no
                    // more than the caches hold, which a request that just came is in.
                    let some = left.min(64);
                    let requests: Vec<_> = (0..some).map(|_| request()).collect();
                    let begun = own_time();
                    for request in requests {
                        let status = match is_recorded {
                            true => drive(&recorded, request),
                            false => drive(&bare, request),
                        };
                        assert_eq!(status, Some(StatusCode::OK));
                    }
                    taken += own_time() - begun;
                    lines.flush(Duration::from_secs(10)).unwrap();
                    left -= some;
                }
                taken
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    targets = enqueue
}
criterion_main!(benches);

//! What a record costs on the writer's thread: its line made, chained and written to a file, a batch at a
//! time; beside `tracing-subscriber`'s JSON formatter, which writes the same fields to a buffered file.
//!
//! ```sh
//! cargo bench -p bartizan-audit --features chain --bench written
//! ```
//!
//! One thread does all of it, in turns. Shown is the median of nine turns: nanoseconds of the thread's own
//! time for each record, what that makes in a second, and the same by the clock on the wall.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

mod asked;

use std::{
    convert::Infallible,
    fs::File,
    future::{Future, ready},
    io::{BufWriter, Write},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::{Duration, Instant},
};

use bartizan_audit::{
    AuditLayer, AuditSink, Chain, ChainKeys, Commit, Outlet, Record, RotatingFile,
};
use bartizan_core::{CallLayer, RequestBody};
use http::{Request, Response};
use rustix::time::{ClockId, clock_gettime};
use tower::{Layer, Service, service_fn};
use tracing::Dispatch;

use asked::{Body, leave_findings, request};

const RECORDS: usize = 20_000;
const TURNS: usize = 9;
/// As the queue does it.
const AT_ONCE: usize = 64 << 10;

/// Measures with the one record that it gets.
#[derive(Clone)]
struct Measuring(Arc<Path>);

impl AuditSink for Measuring {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        println!("a line has {} bytes", record.to_json().len());
        let file = |name: &str| RotatingFile::open(self.0.join(name)).unwrap();
        let keys = ChainKeys::new(1, &vec![1; 32].into(), &vec![2; 32].into()).unwrap();
        let mut chained = Chain::over(file("chained"), keys).unwrap();
        let mut plain = file("plain");
        let peer = Mutex::new(BufWriter::with_capacity(
            AT_ONCE,
            File::create(self.0.join("peer")).unwrap(),
        ));
        let peer = tracing_subscriber::fmt().json().with_writer(peer).finish();
        let peer = Dispatch::new(peer);
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..TURNS {
            times[0].push(timed(|| written(&mut chained, record)));
            times[1].push(timed(|| written(&mut plain, record)));
            times[2].push(timed(|| {
                tracing::dispatcher::with_default(&peer, || {
                    for _ in 0..RECORDS {
                        emit(record);
                    }
                });
            }));
        }
        let names = ["chained", "not chained", "tracing-subscriber's JSON"];
        for (name, mut times) in names.into_iter().zip(times) {
            times.sort();
            let (own, wall) = times[TURNS / 2];
            let each = own.as_nanos() / RECORDS as u128;
            let rate = |time: Duration| RECORDS as f64 / time.as_secs_f64();
            println!(
                "{name}: {each} ns, {:.0} records/s; by the wall {:.0}",
                rate(own),
                rate(wall)
            );
        }
    }
}

fn written(outlet: &mut impl Outlet, record: &Record<'_>) {
    let (mut line, mut bytes) = (Vec::new(), 0);
    for _ in 0..RECORDS {
        line.clear();
        record.write_json(&mut line);
        outlet.take(record, &line);
        bytes += line.len();
        if bytes >= AT_ONCE {
            outlet.commit(Commit::Written).unwrap();
            bytes = 0;
        }
    }
    outlet.commit(Commit::Written).unwrap();
}

fn emit(record: &Record<'_>) {
    let json: &serde_json::Value =
        FIELDS.get_or_init(|| serde_json::from_str(&record.to_json()).unwrap());
    let m = &json["metadata"];
    let s = |v: &'static str| json[v].as_str();
    let n = |v: &'static str| m[v].as_str();
    tracing::info!(
        schema = 1,
        event_type = record.event_type,
        user_id = s("user_id"),
        user_role = LISTS.get_or_init(|| lists(json))[0].as_str(),
        tool_name = s("tool_name"),
        resource_id = s("resource_id"),
        action = s("action"),
        result = record.result,
        ip_address = s("ip_address"),
        user_agent = s("user_agent"),
        correlation_id = s("correlation_id"),
        outcome = s("outcome"),
        status = json["status"].as_u64(),
        latency_us = json["latency_us"].as_u64(),
        findings = LISTS.get_or_init(|| lists(json))[1].as_str(),
        findings_dropped = 0,
        principal_kind = n("principal_kind"),
        auth_method = n("auth_method"),
        issuer = n("issuer"),
        client_id = n("client_id"),
        credential_id = n("credential_id"),
        scopes = LISTS.get_or_init(|| lists(json))[2].as_str(),
        call_kind = n("call_kind"),
        rpc_id = n("rpc_id"),
        http_method = n("http_method"),
        http_path = n("http_path"),
    );
}

/// Made once: what the event's fields are taken from costs it nothing.
static FIELDS: std::sync::OnceLock<serde_json::Value> = std::sync::OnceLock::new();
static LISTS: std::sync::OnceLock<[String; 3]> = std::sync::OnceLock::new();

fn lists(json: &serde_json::Value) -> [String; 3] {
    let shown = |value: &serde_json::Value| value.to_string();
    [
        &json["user_role"],
        &json["findings"],
        &json["metadata"]["scopes"],
    ]
    .map(shown)
}

fn timed(run: impl FnOnce()) -> (Duration, Duration) {
    let own = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let (begun, began) = (Instant::now(), own());
    run();
    (own() - began, begun.elapsed())
}

fn answer<B>(mut request: Request<B>) -> Response<Body> {
    leave_findings(&mut request);
    Response::new(Body::default())
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let inner = CallLayer::new().layer(service_fn(|request: Request<RequestBody<Body>>| {
        ready(Ok::<_, Infallible>(answer(request)))
    }));
    let mut service = AuditLayer::new(Measuring(folder.path().into())).layer(inner);
    let mut cx = Context::from_waker(Waker::noop());
    let future = pin!(service.call(request()));
    let ended = future.poll(&mut cx);
    assert!(ended.is_ready());
    let _ = std::io::stdout().flush();
}

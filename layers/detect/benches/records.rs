//! What a record costs on the queue's thread: of known users that go about their work, and of strangers who guess.

#![allow(clippy::unwrap_used, reason = "of a benchmark")]

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_audit::{Adding, AuditLayer, JsonLines, Record, Watcher};
use bartizan_core::{
    Denial, DenialKind, Principal, ResponseBody, SecurityContext, identify, refuse,
};
use bartizan_detect::Detectors;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

type Body = Full<Bytes>;

/// Counts what the detectors take.
struct Timed(Detectors, Arc<AtomicU64>);

impl Watcher for Timed {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        let begun = Instant::now();
        self.0.see(record, adding);
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        self.1.fetch_add(took, Ordering::Relaxed);
    }
}

fn measure(criterion: &mut Criterion, name: &str, is_known: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let spent = Arc::new(AtomicU64::new(0));
    let timed = Timed(Detectors::new(), Arc::clone(&spent));
    let layer = AuditLayer::new(JsonLines::to(io::sink()).watched_by(timed));
    let mut number = 0u32;
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            spent.store(0, Ordering::Relaxed);
            for _ in 0..times {
                number = number.wrapping_add(1);
                runtime.block_on(ask(&layer, number, is_known));
                if number.is_multiple_of(1000) {
                    layer.flush(Duration::from_secs(10)).unwrap();
                }
            }
            layer.flush(Duration::from_secs(10)).unwrap();
            Duration::from_nanos(spent.load(Ordering::Relaxed))
        });
    });
}

async fn ask(layer: &AuditLayer, number: u32, is_known: bool) {
    let mut request = Request::new(Body::default());
    let context = SecurityContext::of(&mut request);
    let who = number % 5000;
    let address = Ipv4Addr::from_bits(0x0a00_0000 | who << 4);
    context.set_client_address(IpAddr::V4(address)).unwrap();
    if is_known {
        let user = format!("user{who}");
        let principal = Principal::user("https://auth.example.com", &user);
        identify(&mut request, principal.credential_id(&user).build("jwt")).unwrap();
    }
    let inner = service_fn(|mut request: Request<Body>| {
        let context = SecurityContext::of(&mut request);
        let answer: Response<ResponseBody<Body>> = if is_known {
            Response::new(ResponseBody::inner(Body::default()))
        } else {
            context.note_refused_credential(&number.to_le_bytes());
            refuse!(
                "auth",
                &context,
                Denial::new(DenialKind::CredentialsInvalid, "bad")
            )
        };
        async { Ok::<_, Infallible>(answer) }
    });
    layer.layer(inner).oneshot(request).await.unwrap();
}

fn records(criterion: &mut Criterion) {
    measure(criterion, "a known user's request", true);
    measure(criterion, "a stranger's guess", false);
}

criterion_group!(benches, records);
criterion_main!(benches);

//! What rules cost for each record, on the queue's thread.
//!
//! ```sh
//! cargo bench -p bartizan-alerts --bench rules
//! ```
//!
//! `usual` is a call that no guard refused, which fits none of the twenty rules; `fits` a refusal that two of them count, while
//! there is quiet.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, and is no API"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_alerts::{Alerts, By, Rule, Rules};
use bartizan_audit::{Adding, AuditLayer, AuditSink, Outcome, Record, Watcher};
use bartizan_core::{
    CallLayer, Denial, DenialKind, Principal, RequestBody, ResponseBody, SecurityContext, identify,
    refuse,
};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

/// Shows its one record so many times, and tells how long that took.
struct Repeating {
    alerts: Mutex<Alerts>,
    times: u64,
    took: Mutex<Duration>,
}

impl AuditSink for Repeating {
    fn reserve(&self) -> bool {
        true
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        let mut alerts = self.alerts.lock().unwrap();
        let mut take = |_: Record<'_>| {};
        let begun = Instant::now();
        for _ in 0..self.times {
            alerts.see(record, &mut Adding::to(&mut take));
        }
        *self.took.lock().unwrap() = begun.elapsed();
    }
}

/// The recommended ones, and as many of other sorts as make twenty.
fn rules() -> Rules {
    let mut rules = Rules::recommended();
    let mut place = 0;
    while rules.names().count() < 20 {
        let rule = Rule::new(&format!("more-{place}")).unwrap();
        let rule = rule.tool(&format!("delete_{place}_*")).unwrap();
        let rule = rule.outcome(Outcome::Admitted).by(By::User);
        rules = rules.rule(rule).unwrap();
        place += 1;
    }
    rules
}

fn time(times: u64, denial: Option<DenialKind>) -> Duration {
    let repeating = Arc::new(Repeating {
        alerts: Mutex::new(Alerts::by(rules()).build().unwrap()),
        times,
        took: Mutex::default(),
    });
    let inner = service_fn(
        move |mut request: Request<RequestBody<Full<Bytes>>>| async move {
            let context = SecurityContext::of(&mut request);
            let answer: Response<ResponseBody<Full<Bytes>>> = match denial {
                None => Response::new(ResponseBody::inner(Full::default())),
                Some(kind) => refuse!("rbac", &context, Denial::new(kind, "no")),
            };
            Ok::<_, Infallible>(answer)
        },
    );
    let layer = AuditLayer::new(Arc::clone(&repeating));
    let service = layer.layer(CallLayer::new().layer(inner));
    let body = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"write_note","arguments":{}}}"#;
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let ann = Principal::user("https://auth.example.com", "ann").credential_id("jti-1");
    identify(&mut request, ann.build("jwt")).unwrap();
    let context = SecurityContext::of(&mut request);
    context.set_client_address([203, 0, 113, 9].into()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let answer = service.oneshot(request).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body())
            .await
            .unwrap();
    });
    *repeating.took.lock().unwrap()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("20 rules");
    group.bench_function("usual", |b| b.iter_custom(|times| time(times, None)));
    group.bench_function("fits", |b| {
        b.iter_custom(|times| time(times, Some(DenialKind::Forbidden)));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);

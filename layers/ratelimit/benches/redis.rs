//! Limits that processes share, over a Redis of its own: a script for each request, and leases, in one run.
//!
//! ```sh
//! cargo bench -p bartizan-ratelimit --features redis --bench redis
//! ```

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints what it measured, and is no API"
)]

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use bartizan_core::{Call, CallLayer, Principal, SecurityContext};
use bartizan_kit::RedisServer;
use bartizan_ratelimit::{Fleet, Outage, Quota, RateLimits};
use bartizan_redis::Redis;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

/// Requests that are under way at once, of as many accounts as there are tasks by four.
const TASKS: usize = 64;
const TIME: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Asked {
    call: Call,
    headers: HeaderMap,
    context: SecurityContext,
}

/// A call of a tool by an account, read.
async fn asked(number: usize) -> Asked {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let request = Request::post("/mcp").header("content-type", "application/json");
    let mut request = request.body(Full::from(body)).unwrap();
    let context = SecurityContext::of(&mut request);
    let principal = Principal::user("https://auth.example.com", &format!("account-{number}"));
    context.set_principal(principal.build("jwt")).unwrap();
    let headers = request.headers().clone();
    let inner =
        service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let answer = CallLayer::new().layer(inner).oneshot(request).await;
    assert_eq!(answer.unwrap().status(), 200);
    Asked {
        call: context.call().unwrap().clone(),
        headers,
        context,
    }
}

/// Decisions each second, and round trips of each.
async fn run(name: &str, server: &RedisServer, has_leases: bool) -> (f64, f64) {
    let redis = Redis::builder(&server.url()).build().unwrap();
    let secret: Vec<u8> = (0..32).collect();
    let fleet = Fleet::builder(redis, secret)
        .name(name)
        .wait(Duration::from_secs(1));
    let fleet = if has_leases { fleet.leases() } else { fleet };
    let fleet = fleet.build().unwrap();
    // Far from used up: this measures what admits.
    let quota = Quota::per_second(1_000_000).unwrap();
    let limits = RateLimits::builder().account(quota).global(quota);
    let limits = limits
        .shared("account", Outage::Closed)
        .shared("global", Outage::Closed);
    let limits = limits.fleet(&fleet).without_headers().build().unwrap();
    let mut tasks = Vec::new();
    let (begun, before) = (Instant::now(), fleet.snapshot().trips);
    for task in 0..TASKS {
        let (limits, asked) = (limits.clone(), asked(task % 4).await);
        tasks.push(tokio::spawn(async move {
            let mut admitted = 0_u64;
            while begun.elapsed() < TIME {
                for _ in 0..32 {
                    let told = limits.check_shared(&asked.call, &asked.headers, &asked.context);
                    told.await.unwrap();
                    admitted += 1;
                }
                tokio::task::yield_now().await;
            }
            admitted
        }));
    }
    let mut admitted = 0;
    for task in tasks {
        admitted += task.await.unwrap();
    }
    let trips = fleet.snapshot().trips - before;
    let (rate, trips) = (
        admitted as f64 / begun.elapsed().as_secs_f64(),
        trips as f64 / admitted as f64,
    );
    println!("{name}: {rate:.0} decisions/s, {trips:.5} round trips each");
    (rate, trips)
}

#[tokio::main]
async fn main() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    // As one runs it for limits: nothing of them has to be on a disk.
    assert_eq!(server.command(&["CONFIG", "SET", "appendonly", "no"]), "OK");
    let (script, _) = run("script", &server, false).await;
    let (leased, trips) = run("leases", &server, true).await;
    println!("leases: {:.1} times as many", leased / script);
    assert!(leased >= 10.0 * script, "leases gain less than tenfold");
    assert!(trips <= 0.05, "{trips} round trips for each");
}

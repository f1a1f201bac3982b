//! What one decision costs, beside governor's keyed limiters asked one after the other; allocations printed before each.
//!
//! ```sh
//! cargo bench -p bartizan-ratelimit --bench decision
//! ```
//!
//! governor's limiters are what one would stack by hand: each charges at once, so that what a later one refuses was
//! charged by those before it, and their keys stay until somebody calls `retain_recent`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

use std::{convert::Infallible, hint::black_box, num::NonZeroU32, time::Duration};

use bartizan_core::{Call, CallLayer, Clock, Principal, SecurityContext, SystemClock};
use bartizan_ratelimit::{Quota, RateLimits, RateLimitsBuilder};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use governor::{DefaultKeyedRateLimiter, RateLimiter};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

/// Of each of four tiers.
const ACCOUNTS: u32 = 250_000;

/// Runs a thousand times as fast, and is read as the system's is: a quota that can be said is used up by who asks without
/// a pause, and what is measured then is a refusal.
#[derive(Debug)]
struct Fast(SystemClock);

impl Clock for Fast {
    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic() * 1000
    }
}

fn plenty() -> Quota {
    Quota::per_second(1_000_000).unwrap()
}

/// So slow that no bucket is full again while this runs, and so large that none is used up.
fn live() -> Quota {
    Quota::per_hour(1).unwrap().burst(1_000_000).unwrap()
}

fn account(number: u32) -> SecurityContext {
    let context = SecurityContext::default();
    let subject = format!("account-{number}");
    let principal = Principal::service("https://auth.example.com", &subject);
    let principal = principal.credential_id(&subject).build("apikey");
    context.set_principal(principal).unwrap();
    context
}

/// A call of a tool in a session, read.
fn called() -> (Call, HeaderMap) {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("mcp-session-id", "c0ffee00-0000-4000-8000-000000000000");
    let mut request = request.body(Full::from(body)).unwrap();
    let context = SecurityContext::of(&mut request);
    let headers = request.headers().clone();
    let inner =
        service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let answer = runtime.block_on(CallLayer::new().layer(inner).oneshot(request));
    assert_eq!(answer.unwrap().status(), 200);
    (context.call().unwrap().clone(), headers)
}

fn case(c: &mut Criterion, name: &str, mut decide: impl FnMut() -> bool, expected: bool) {
    assert_eq!(decide(), expected, "{name}");
    let counted = allocation_counter::measure(|| {
        black_box(decide());
    });
    println!(
        "{name}: {} allocations, {} bytes",
        counted.count_total, counted.bytes_total
    );
    c.bench_function(name, |b| {
        b.iter(|| assert_eq!(black_box(decide()), expected));
    });
}

fn decisions(c: &mut Criterion) {
    let (call, headers) = called();
    let ann = account(0);
    let check = |limits: &RateLimits, context| limits.check(&call, &headers, context).is_ok();
    let usual = || {
        let limits = RateLimits::builder().clock(Fast(SystemClock::new()));
        let limits = limits.global(plenty()).account(plenty());
        limits.session(plenty()).tool("t", plenty())
    };
    let quiet = usual().without_headers().build().unwrap();
    case(c, "four_tiers/warm", || check(&quiet, &ann), true);
    let telling = usual().build().unwrap();
    case(
        c,
        "four_tiers/warm_and_told",
        || check(&telling, &ann),
        true,
    );
    let open = usual()
        .without_headers()
        .open_per_account(9)
        .open_in_all(99);
    let open = open.build().unwrap();
    case(c, "four_tiers/warm_and_open", || check(&open, &ann), true);
    let used_up = usual()
        .clock(SystemClock::new())
        .account(Quota::per_hour(1).unwrap())
        .build()
        .unwrap();
    while check(&used_up, &ann) {}
    case(c, "four_tiers/refused", || check(&used_up, &ann), false);
    let theirs = governors(1_000_000_000);
    case(
        c,
        "governor_four_keyed/warm",
        || theirs.iter().all(|l| l.check_key(&7).is_ok()),
        true,
    );
}

/// Four keyed tiers of 250,000 accounts each.
fn a_million_keys(c: &mut Criterion) {
    let (call, headers) = called();
    let limits: RateLimitsBuilder = RateLimits::builder()
        .account(live())
        .api_key(live())
        .session(live())
        .tool("t", live())
        .without_headers();
    let limits = limits.max_keys(1_200_000).build().unwrap();
    let before = resident();
    for number in 0..ACCOUNTS {
        assert!(limits.check(&call, &headers, &account(number)).is_ok());
    }
    let grown = resident().saturating_sub(before) / 1_000_000;
    println!(
        "four_tiers/1M_live_keys: {} keys, {grown} MB",
        limits.snapshot().keys
    );
    // In no order that a cache could keep.
    let some = (0..50_000_u32).map(|n| account(n.wrapping_mul(2_654_435_761) % ACCOUNTS));
    let some: Vec<_> = some.collect();
    let mut next = some.iter().cycle();
    let decide = || limits.check(&call, &headers, next.next().unwrap()).is_ok();
    case(c, "four_tiers/1M_live_keys", decide, true);
    drop(some);
    let before = resident();
    let theirs = governors(1);
    for number in 0..u64::from(ACCOUNTS) {
        assert!(
            theirs
                .iter()
                .all(|limiter| limiter.check_key(&number).is_ok())
        );
    }
    let grown = resident().saturating_sub(before) / 1_000_000;
    println!("governor_four_keyed/1M_live_keys: {grown} MB, of 8-byte keys");
    let mut number = 0_u32;
    let decide = || {
        number = number.wrapping_mul(2_654_435_761).wrapping_add(1);
        let key = u64::from(number % ACCOUNTS);
        theirs.iter().all(|limiter| limiter.check_key(&key).is_ok())
    };
    case(c, "governor_four_keyed/1M_live_keys", decide, true);
}

fn governors(per_hour: u32) -> [DefaultKeyedRateLimiter<u64>; 4] {
    let quota = governor::Quota::per_hour(NonZeroU32::new(per_hour).unwrap());
    let quota = quota.allow_burst(NonZeroU32::new(1_000_000_000).unwrap());
    [(); 4].map(|()| RateLimiter::keyed(quota))
}

/// Bytes of memory that the process has, where the system tells.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

criterion_group!(benches, decisions, a_million_keys);
criterion_main!(benches);

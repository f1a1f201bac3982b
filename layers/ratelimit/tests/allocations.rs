//! What decisions take from the heap, and what keys take up.

#![expect(
    clippy::expect_used,
    reason = "the helpers of these tests are tests too"
)]

use bartizan_core::{CallLayer, Principal, SecurityContext, identify};
use bartizan_ratelimit::{AddressLimitLayer, AddressLimits, Quota, RateLimits};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

fn quota() -> Quota {
    Quota::per_second(1_000_000).expect("a quota")
}

/// A call of Ann's in a session, read.
fn called() -> (SecurityContext, HeaderMap) {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("mcp-session-id", "session")
        .body(Full::from(body))
        .expect("a request");
    let headers = request.headers().clone();
    let principal = Principal::user("https://auth.example.com", "ann").credential_id("k1");
    identify(&mut request, principal.build("apikey")).expect("nobody before");
    let context = SecurityContext::of(&mut request);
    let inner = service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let answer = runtime
        .expect("a runtime")
        .block_on(CallLayer::new().layer(inner).oneshot(request));
    assert_eq!(answer.expect("an answer").status(), 200);
    (context, headers)
}

#[test]
fn four_warm_tiers_take_nothing_from_the_heap() {
    let limits = RateLimits::builder()
        .global(quota())
        .account(quota())
        .session(quota())
        .tool("t", quota())
        .without_headers();
    let limits = limits.build().expect("limits");
    let (context, headers) = called();
    let call = context.call().expect("it was read");
    let check = || assert!(limits.check(call, &headers, &context).is_ok());
    check();
    let counted = allocation_counter::measure(|| (0..100).for_each(|_| check()));
    assert_eq!(counted.count_total, 0);
    assert_eq!(limits.statistics()[0].total_requests, 101);

    // Told about, it takes the text of one header field.
    let telling = RateLimits::builder()
        .account(quota())
        .build()
        .expect("limits");
    let check = || assert!(telling.check(call, &headers, &context).is_ok());
    check();
    let counted = allocation_counter::measure(check);
    assert!(counted.count_total <= 1, "{}", counted.count_total);
}

#[test]
fn a_refusal_by_a_shadow_tier_or_an_address_takes_nothing_more() {
    let strict = Quota::per_hour(1).expect("a quota");
    let shadow = bartizan_ratelimit::Tier::rate("strict", strict)
        .by(bartizan_ratelimit::By::account())
        .shadow();
    let limits = RateLimits::builder()
        .account(quota())
        .tier(shadow)
        .without_headers();
    let limits = limits.build().expect("limits");
    let (context, headers) = called();
    let call = context.call().expect("it was read");
    let check = || assert!(limits.check(call, &headers, &context).is_ok());
    check();
    // The first that it would refuse is told in an event.
    check();
    let counted = allocation_counter::measure(check);
    assert_eq!(counted.count_total, 0);
}

/// Each key's request, the table and all: 1,000,000 keys in at most 100 MB.
#[test]
fn a_million_live_keys_take_less_than_100_megabytes() {
    const KEYS: u32 = 1_000_000;
    let slow = Quota::per_hour(1)
        .and_then(|quota| quota.burst(1))
        .expect("a quota");
    let inner = service_fn(|_: Request<()>| {
        std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(Full::<
            bytes::Bytes,
        >::default(
        ))))
    });
    let mut kept = None;
    let counted = allocation_counter::measure(|| {
        let limits = AddressLimits::builder()
            .address(slow)
            .max_keys(KEYS as usize);
        let limits = limits.build().expect("limits");
        let service = AddressLimitLayer::new(limits.clone()).layer(inner);
        for number in 0..KEYS {
            let mut request = Request::new(());
            let context = SecurityContext::of(&mut request);
            let address = std::net::Ipv4Addr::from_bits(number);
            context
                .set_client_address(address.into())
                .expect("no other");
            let mut service = service.clone();
            let future = tower::Service::call(&mut service, request);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let polled = std::pin::pin!(future).poll(&mut context);
            assert!(polled.is_ready());
        }
        kept = Some((service, limits));
    });
    let (_, limits) = kept.as_ref().expect("they are kept");
    let snapshot = limits.snapshot();
    println!(
        "{} keys: {} bytes at most, {} now",
        snapshot.keys, counted.bytes_max, counted.bytes_current
    );
    assert!(
        snapshot.keys > 930_000,
        "{} of them have a bucket of their own",
        snapshot.keys
    );
    assert!(counted.bytes_max < 100_000_000, "{}", counted.bytes_max);
    assert!(
        counted.bytes_current / snapshot.keys as i64 <= 64 + 16,
        "64 bytes and the key"
    );
}

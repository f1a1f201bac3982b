//! What somebody who wants more than their share would try.

use std::{convert::Infallible, future::Future, pin::Pin};

use bartizan_core::{CallRate, CredentialLimits, Principal, SecurityContext};
use bartizan_ratelimit::{
    AddressLimitLayer, AddressLimits, By, Cost, Quota, RateLimitLayer, RateLimits, Tier,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::*;

async fn admitted<S>(service: &S, asks: impl IntoIterator<Item = Ask>) -> usize
where
    S: tower::Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone,
{
    let mut admitted = 0;
    for ask in asks {
        admitted += usize::from(ask.to(service).await.status() == 200);
    }
    admitted
}

fn good(address: &str) -> Ask {
    tool("t").header("authorization", "good").from(address)
}

#[tokio::test]
async fn rl_9_hopping_through_an_ipv6_network_gains_no_second_bucket() {
    let limits = AddressLimits::builder()
        .clock(clock())
        .address(quota(60, 1));
    let service = fenced(limits.build().unwrap());
    let hops = (0..1000).map(|n| good(&format!("2001:db8:1:2:{n:x}:{n:x}::1")));
    assert_eq!(admitted(&service, hops).await, 1);
    // Whoever has a network of 48 bits is held to one bucket by a tier that says so.
    let wide = AddressLimits::builder()
        .clock(clock())
        .address(quota(60, 1));
    let wide = wide.tier(Tier::rate("site", quota(60, 5)).by(By::network(24, 48)));
    let service = fenced(wide.build().unwrap());
    let hops = (0..1000).map(|n| good(&format!("2001:db8:1:{n:x}::1")));
    assert_eq!(admitted(&service, hops).await, 5);
}

#[tokio::test]
async fn tr_19_an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
    let limits = AddressLimits::builder()
        .clock(clock())
        .address(quota(60, 1));
    let service = fenced(limits.build().unwrap());
    let same = ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"].map(good);
    assert_eq!(admitted(&service, same).await, 1);
}

#[tokio::test]
async fn fields_that_claim_an_address_an_account_or_a_tool_gain_nothing() {
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.account(quota(60, 2)).other_tools(quota(60, 1));
    let service = guarded(limits.build().unwrap());
    let claims = [
        ("x-forwarded-for", "192.0.2.77"),
        ("forwarded", "for=192.0.2.77"),
        ("x-real-ip", "192.0.2.77"),
        ("cf-connecting-ip", "192.0.2.77"),
        ("x-api-key", "another"),
        ("x-ratelimit-remaining", "100"),
        ("ratelimit", r#""account";r=100"#),
    ];
    let nobody = claims.map(|(name, value)| tool("t").from("192.0.2.1").header(name, value));
    assert_eq!(admitted(&service, nobody).await, 1);
    let known = claims.map(|(name, value)| tool("t").by("ann").header(name, value));
    assert_eq!(admitted(&service, known).await, 1);
    // Names that only look like another's.
    let names = ["T", "t ", " t", "t\\u0000", "\\u0074", "t/../t", "tt"];
    assert_eq!(
        admitted(&service, names.map(|name| tool(name).by("ann"))).await,
        0
    );
}

#[tokio::test]
async fn se_7_sessions_that_are_rotated_sent_twice_or_left_out_gain_nothing() {
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.account(quota(60, 5)).session(quota(60, 2));
    let service = guarded(limits.build().unwrap());
    let asks = (0..100).map(|n| {
        let ask = tool("t").by("ann");
        match n % 3 {
            0 => ask,
            1 => ask.header("mcp-session-id", &n.to_string()),
            _ => {
                let ask = ask.header("mcp-session-id", "same");
                ask.header("mcp-session-id", &n.to_string())
            }
        }
    });
    assert_eq!(admitted(&service, asks).await, 5);
}

/// As `outside` of a service that never ends its answers.
fn held(
    limits: AddressLimits,
) -> impl Fn(&str, &'static str) -> Pin<Box<dyn Future<Output = Answer>>> {
    let service = AddressLimitLayer::new(limits).layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("never read")))
    }));
    move |address, said| {
        let request = Request::post("/mcp").header("mcp-method", said);
        let mut request = request.body(()).unwrap();
        let context = SecurityContext::of(&mut request);
        let address = address.parse().unwrap();
        context.set_client_address(address).unwrap();
        let service = service.clone();
        Box::pin(async move { service.oneshot(request).await.unwrap() })
    }
}

/// The flaw: what a request said of itself took it out of what its address may have open, so that one address took all.
#[tokio::test]
async fn rl_9_an_address_that_says_discovery_can_not_take_what_all_others_may_have_open() {
    let limits = AddressLimits::builder().open_per_address(8).open_in_all(64);
    let limits = limits.clock(clock()).build().unwrap();
    let ask = held(limits);
    let mut open = Vec::new();
    for n in 0..200 {
        let said = ["server/discover", "initialize", "ping", "tools/call"][n % 4];
        open.push(ask("192.0.2.1", said).await);
    }
    let statuses = open.iter().map(|answer| answer.status().as_u16());
    assert_eq!(
        statuses.filter(|status| *status == 200).count(),
        9,
        "an eighth more"
    );
    for n in 0..50 {
        let answer = ask(&format!("198.51.100.{n}"), "tools/call").await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
}

#[tokio::test]
async fn rl_10_an_address_with_all_that_it_may_have_open_may_still_ask_what_is_spoken() {
    let limits = AddressLimits::builder().open_per_address(2).clock(clock());
    let ask = held(limits.build().unwrap());
    let _open = [
        ask("192.0.2.1", "tools/call").await,
        ask("192.0.2.1", "tools/call").await,
    ];
    assert_eq!(ask("192.0.2.1", "tools/call").await.status(), 429);
    assert_eq!(ask("192.0.2.1", "server/discover").await.status(), 200);
}

#[tokio::test]
async fn a_shadow_of_a_limit_of_discovery_is_none_for_a_credential_that_has_no_other() {
    let limits = RateLimits::builder().clock(clock()).only_credentials();
    let shadow = Tier::rate("later", quota(60, 1))
        .methods(["initialize"])
        .by(By::account());
    let service = guarded(limits.tier(shadow.shadow()).build().unwrap());
    let rate = CallRate::new(1, 1).unwrap();
    let ci = Principal::service("keys", "ci").credential_id("k1");
    let ci = ci.limits(CredentialLimits::new().with_rate(rate).unwrap());
    let ci = ci.build("apikey");
    let asks = (0..100).map(|_| method("initialize", "{}").of(ci.clone()));
    assert_eq!(admitted(&service, asks).await, 30);
}

#[test]
fn low_priority_that_nothing_could_shed_does_not_build() {
    for tier in [
        Tier::open("streams", 4).streams(),
        Tier::open("listed", 4).methods(["tools/list"]),
        Tier::open("others", 4).other_tools(["report"]),
        Tier::open("all", 4).shadow(),
        Tier::open("each", 4).by(By::account()),
    ] {
        let limits = RateLimits::builder().account(quota(60, 1)).tier(tier);
        let error = limits.low_priority_tool("report").build().unwrap_err();
        assert!(error.to_string().contains("`report`"), "{error}");
    }
    for tier in [
        Tier::open("all", 4),
        Tier::open("dear", 4).tools(["report"]),
        Tier::open("calls", 4).methods(["tools/call"]),
    ] {
        let limits = RateLimits::builder().account(quota(60, 1)).tier(tier);
        assert!(limits.low_priority_tool("report").build().is_ok());
    }
}

#[tokio::test]
async fn the_largest_numbers_that_may_be_said_neither_wrap_nor_admit_for_ever() {
    let clock = clock();
    for burst in [1, 1_000_000] {
        let slow = Quota::per_hour(1).unwrap().burst(burst).unwrap();
        let cost = Cost::each(1_000_000).body_bytes(1);
        let tier = Tier::rate("dear", slow).by(By::account()).cost(cost);
        let limits = RateLimits::builder().clock(clock.clone()).tier(tier);
        let service = guarded(limits.build().unwrap());
        assert_eq!(tool("t").by("ann").to(&service).await.status(), 200);
        let refused = tool("t").by("ann").to(&service).await;
        assert_eq!(refused.status(), 429);
        let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
        assert_eq!(wait, 3_600_000_000, "a million hours, of {burst}");
    }
}

/// What is inside may refuse or break: that was not for nothing to this place, and is not for twice either.
#[tokio::test]
async fn what_an_inner_layer_refuses_is_charged_once_outside_of_it_and_never_given_back() {
    let outer = RateLimits::builder().clock(clock()).account(quota(60, 5));
    let outer = outer.build().unwrap();
    let inner = RateLimits::builder().clock(clock()).account(quota(60, 2));
    let inner = inner.build().unwrap();
    let service = service_fn(|_: Request<_>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = RateLimitLayer::new(inner.clone()).layer(service);
    let service = RateLimitLayer::new(outer.clone()).layer(service);
    let mut admitted = 0;
    for _ in 0..10 {
        let answer = service
            .clone()
            .oneshot(tool("t").by("ann").into_request())
            .await;
        admitted += usize::from(answer.unwrap().status() == 200);
    }
    assert_eq!(admitted, 2);
    let counts = |limits: &RateLimits| {
        let tier = limits.statistics().remove(0);
        (tier.total_requests, tier.rejected_requests)
    };
    assert_eq!(counts(&outer), (10, 5));
    assert_eq!(counts(&inner), (5, 3));
}

//! The first place.

use std::{convert::Infallible, time::Duration};

use bartizan_core::{Denial, DenialKind, Principal, SecurityContext, Verdict, identify};
use bartizan_ratelimit::{AddressLimitLayer, AddressLimits, AddressLimitsBuilder};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::common::*;

fn limits(tiers: impl FnOnce(AddressLimitsBuilder) -> AddressLimitsBuilder) -> AddressLimits {
    tiers(AddressLimits::builder().clock(clock()))
        .build()
        .unwrap()
}

async fn status(limits: &AddressLimits, ask: Ask) -> u16 {
    ask.to(&fenced(limits.clone())).await.status().as_u16()
}

fn good() -> Ask {
    tool("t").header("authorization", "good")
}

fn bad() -> Ask {
    tool("t").header("authorization", "bad")
}

#[tokio::test]
async fn rl_9_each_address_has_its_bucket_and_forwarding_headers_change_nothing() {
    let limits = limits(|l| l.address(quota(60, 1)));
    assert_eq!(status(&limits, good().from("192.0.2.1")).await, 200);
    let spoofed = good()
        .from("192.0.2.1")
        .header("x-forwarded-for", "192.0.2.9");
    assert_eq!(status(&limits, spoofed).await, 429);
    assert_eq!(status(&limits, good().from("192.0.2.2")).await, 200);
    assert_eq!(status(&limits, good().from("2001:db8::1")).await, 200);
    assert_eq!(
        status(&limits, good().from("2001:db8::2")).await,
        429,
        "one network"
    );
    assert_eq!(status(&limits, good().from("2001:db8:0:1::2")).await, 200);
}

#[tokio::test]
async fn without_an_address_all_share_one_bucket_and_a_finding_says_so() {
    let service = fenced(limits(|l| l.address(quota(60, 1))));
    let (answer, findings) = good().traced(&service).await;
    assert_eq!(answer.status(), 200);
    let noted = findings
        .iter()
        .find(|f| f.verdict == Verdict::Noted)
        .unwrap();
    assert_eq!(
        (noted.layer, noted.kind),
        ("address_limit", "address_unknown")
    );
    assert_eq!(good().to(&service).await.status(), 429);
}

#[tokio::test]
async fn seed_r10_requests_are_limited_before_their_credential_is_looked_at() {
    let limits = limits(|l| l.address(quota(60, 2)));
    for expected in [401, 401, 429, 429] {
        assert_eq!(status(&limits, bad().from("192.0.2.1")).await, expected);
    }
}

#[tokio::test]
async fn rl_10_discovery_has_a_bucket_per_address_that_a_flood_of_calls_leaves_alone() {
    let limits = limits(|l| l.address(quota(60, 1)).discovery(quota(60, 2)));
    for _ in 0..10 {
        status(&limits, good().from("192.0.2.1")).await;
    }
    let discover = || {
        good()
            .from("192.0.2.1")
            .header("mcp-method", "server/discover")
    };
    assert_eq!(status(&limits, discover()).await, 200);
    let initialize = good().from("192.0.2.1").header("mcp-method", "initialize");
    assert_eq!(status(&limits, initialize).await, 200);
    assert_eq!(
        status(&limits, discover()).await,
        503,
        "TR-3; a lie gains this much and no more"
    );
    let near = good()
        .from("192.0.2.1")
        .header("mcp-method", "Server/Discover");
    assert_eq!(status(&limits, near).await, 429);
}

#[tokio::test]
async fn tr_3_an_address_that_failed_too_often_is_told_503_where_it_says_discovery() {
    let limits = limits(|l| l.failed_authentication(quota(6, 1)));
    assert_eq!(status(&limits, bad().from("192.0.2.1")).await, 401);
    let ask = |name| good().from("192.0.2.1").header("mcp-method", name);
    for (name, expected) in [
        ("server/discover", 503),
        ("initialize", 503),
        ("ping", 429),
        ("tools/list", 429),
    ] {
        let refused = ask(name).to(&fenced(limits.clone())).await;
        assert_eq!(refused.status(), expected, "{name}");
        assert_eq!(header(&refused, "retry-after"), Some("10"));
        let body = text(refused).await;
        assert!(
            body.contains("#quota-exceeded") && body.contains("failed_authentication"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn rl_10_a_method_that_is_said_twice_is_not_discovery() {
    let limits = limits(|l| l.address(quota(60, 1)).discovery(quota(60, 1000)));
    let twice = || {
        let discover = good()
            .from("192.0.2.1")
            .header("mcp-method", "server/discover");
        discover.header("mcp-method", "tools/call")
    };
    assert_eq!(status(&limits, twice()).await, 200);
    assert_eq!(status(&limits, twice()).await, 429);
}

#[tokio::test]
async fn tr_3_where_only_failures_are_limited_discovery_is_not() {
    let limits = limits(|l| l.failed_authentication(quota(60, 1)));
    for _ in 0..100 {
        let discover = good()
            .from("192.0.2.1")
            .header("mcp-method", "server/discover");
        assert_eq!(status(&limits, discover).await, 200);
    }
}

#[tokio::test]
async fn failed_authentication_slows_its_address_and_a_first_probe_is_none() {
    let limits = limits(|l| l.failed_authentication(quota(60, 3)));
    for _ in 0..20 {
        assert_eq!(
            status(&limits, tool("t").from("192.0.2.1")).await,
            401,
            "no credential"
        );
    }
    let malformed = tool("t").header("authorization", "malformed");
    assert_eq!(status(&limits, malformed.from("192.0.2.1")).await, 400);
    for expected in [401, 401, 429, 429] {
        assert_eq!(status(&limits, bad().from("192.0.2.1")).await, expected);
    }
    assert_eq!(
        status(&limits, good().from("192.0.2.1")).await,
        429,
        "the same address"
    );
    assert_eq!(status(&limits, good().from("192.0.2.2")).await, 200);
}

/// Authentication from elsewhere: its refusals are answers and no more.
fn behind_foreign_authentication(
    limits: &AddressLimits,
) -> impl Service<Request<Full<Bytes>>, Response = Answer, Error = Infallible> + Clone + use<> {
    let inner = service_fn(|mut request: Request<Full<Bytes>>| async move {
        let headers = request.headers();
        let is_good = headers.get("authorization").is_some_and(|v| v == "good");
        if is_good {
            let ann = Principal::user("https://auth.example.com", "ann").build("my-sso");
            identify(&mut request, ann).unwrap();
        }
        // What stands inside of authentication may say 401 for reasons of its own.
        let status = match is_good && !request.headers().contains_key("unwanted") {
            true => 200,
            false => 401,
        };
        let answer = Response::builder().status(status);
        Ok::<_, Infallible>(answer.body(Full::<Bytes>::default()).unwrap())
    });
    AddressLimitLayer::new(limits.clone()).layer(inner)
}

#[tokio::test]
async fn a_bare_401_to_a_credential_is_a_failure_too() {
    for name in ["authorization", "x-api-key"] {
        let limits = limits(|l| l.failed_authentication(quota(60, 1)));
        let service = behind_foreign_authentication(&limits);
        for expected in [401, 429] {
            let ask = tool("t").header(name, "bad").from("192.0.2.1");
            assert_eq!(ask.to(&service).await.status(), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_bare_401_is_no_failure_of_who_sent_nothing_or_was_identified() {
    let limits = limits(|l| l.failed_authentication(quota(60, 1)));
    let service = behind_foreign_authentication(&limits);
    for _ in 0..20 {
        let ask = tool("t").from("192.0.2.1");
        assert_eq!(ask.to(&service).await.status(), 401);
        let ask = good().header("unwanted", "yes").from("192.0.2.1");
        assert_eq!(ask.to(&service).await.status(), 401);
    }
    assert_eq!(good().from("192.0.2.1").to(&service).await.status(), 200);
}

/// Nobody knows yet whether it is a call, and which.
#[tokio::test]
async fn rl_6_a_refusal_by_address_is_problem_details_that_name_the_tier() {
    let limits = limits(|l| l.address(quota(60, 1)));
    assert_eq!(status(&limits, good().from("192.0.2.1")).await, 200);
    let answer = good().from("192.0.2.1").to(&fenced(limits)).await;
    assert_eq!(
        header(&answer, "content-type"),
        Some("application/problem+json")
    );
    let body = text(answer).await;
    assert_eq!(
        body,
        r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"too many requests","status":429,"violated-policies":["address"]}"#
    );
}

#[tokio::test]
async fn good_credentials_use_up_no_tries() {
    let limits = limits(|l| l.failed_authentication(quota(60, 1)));
    for _ in 0..50 {
        assert_eq!(status(&limits, good().from("192.0.2.1")).await, 200);
    }
}

#[tokio::test]
async fn an_address_that_failed_too_often_gets_one_try_for_each_that_it_earns() {
    let clock = clock();
    let limits = AddressLimits::builder().clock(clock.clone());
    let limits = limits.failed_authentication(quota(60, 2)).build().unwrap();
    let service = fenced(limits);
    while bad().from("192.0.2.1").to(&service).await.status() == 401 {}
    let answer = bad().from("192.0.2.1").to(&service).await;
    assert_eq!(header(&answer, "retry-after"), Some("1"));
    assert_eq!(denial(&answer).kind(), DenialKind::RateLimited);
    assert!(denial(&answer).reason().contains("failed_authentication"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(bad().from("192.0.2.1").to(&service).await.status(), 401);
    assert_eq!(bad().from("192.0.2.1").to(&service).await.status(), 429);
}

/// A verifier that takes its time: all of them pass before the first of them fails.
#[tokio::test]
async fn tries_at_the_same_time_leave_a_debt() {
    let limits = limits(|l| l.failed_authentication(quota(60, 2)));
    let (mock, mut handle) = tower_test::mock::pair::<Request<()>, Response<()>>();
    let mut slow = AddressLimitLayer::new(limits.clone()).layer(mock);
    handle.allow(5);
    let mut answers = Vec::new();
    for _ in 0..5 {
        let mut request = Request::new(());
        let context = SecurityContext::of(&mut request);
        context.set_client_address([192, 0, 2, 1].into()).unwrap();
        answers.push(tokio::spawn(slow.ready().await.unwrap().call(request)));
    }
    for _ in 0..5 {
        let (_, respond) = handle.next_request().await.unwrap();
        let mut response = Response::new(());
        let denial = Denial::new(DenialKind::CredentialsInvalid, "");
        response.extensions_mut().insert(denial);
        respond.send_response(response);
    }
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    let answer = good().from("192.0.2.1").to(&fenced(limits)).await;
    assert_eq!(
        header(&answer, "retry-after"),
        Some("3"),
        "a burst of debt, and one"
    );
}

#[test]
fn limits_of_nothing_do_not_build() {
    for (builder, named) in [
        (AddressLimits::builder(), "nothing is limited"),
        (
            AddressLimits::builder().discovery(quota(1, 1)),
            "nothing is limited",
        ),
        (
            AddressLimits::builder().address(quota(1, 1)).max_keys(0),
            "max_keys `0`",
        ),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

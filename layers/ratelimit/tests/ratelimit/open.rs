//! How many requests are open at once.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    task::{Context, Poll},
};

use bartizan_core::{DenialKind, Principal, RequestBody, ResponseBody, SecurityContext, identify};
use bartizan_ratelimit::{AddressLimitLayer, AddressLimits, By, RateLimitLayer, RateLimits, Tier};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::common::*;

/// Answers once told to, and then frame by frame.
struct Events(VecDeque<Result<&'static str, &'static str>>);

impl Body for Events {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let next = self.0.pop_front();
        Poll::Ready(next.map(|event| event.map(|e| Frame::data(Bytes::from_static(e.as_bytes())))))
    }
}

type Opened = Response<ResponseBody<Events>>;

fn streaming<const N: usize>(
    limits: &RateLimits,
    events: [Result<&'static str, &'static str>; N],
) -> impl Service<Request<Full<Bytes>>, Response = Opened, Error = Infallible> + Clone + use<N> {
    RateLimitLayer::new(limits.clone()).layer(service_fn(move |_| async move {
        Ok(Response::new(Events(events.into())))
    }))
}

fn request(name: &str, subject: &str) -> Request<Full<Bytes>> {
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}"}}}}"#);
    let request = Request::post("/mcp").header("content-type", "application/json");
    let mut request = request.body(Full::from(body)).unwrap();
    let principal = Principal::user("https://auth.example.com", subject);
    identify(&mut request, principal.build("jwt")).unwrap();
    request
}

fn open_now(limits: &RateLimits, name: &str) -> u64 {
    let tiers = limits.statistics();
    let tier = tiers.iter().find(|tier| tier.tier == name).unwrap();
    tier.open.unwrap()
}

fn per_account(most: u32) -> RateLimits {
    let limits = RateLimits::builder().clock(clock());
    limits.open_per_account(most).build().unwrap()
}

#[tokio::test]
async fn rl_9_an_account_has_so_many_answers_under_way_and_a_new_one_when_a_body_ends() {
    let limits = per_account(2);
    let service = streaming(&limits, [Ok("a"), Ok("b")]);
    let ask = |who| service.clone().oneshot(request("t", who));
    let mut first = ask("ann").await.unwrap();
    let second = ask("ann").await.unwrap();
    let refused = ask("ann").await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["ratelimit"], r#""open";r=0"#);
    let policy = &refused.headers()["ratelimit-policy"];
    assert_eq!(policy, r#""open";q=2;qu="concurrent-requests""#);
    assert_eq!(ask("bob").await.unwrap().status(), 200, "another's");

    let body = first.body_mut();
    assert!(body.frame().await.is_some() && body.frame().await.is_some());
    assert_eq!(
        ask("ann").await.unwrap().status(),
        429,
        "not at its end yet"
    );
    assert!(body.frame().await.is_none());
    let third = ask("ann").await.unwrap();
    assert_eq!(third.status(), 200, "it ended, though it is still there");
    drop(first);
    assert_eq!(open_now(&limits, "open"), 2, "let go once");
    drop((second, third));
    assert_eq!(open_now(&limits, "open"), 0);
}

#[tokio::test]
async fn a_client_that_goes_and_a_body_that_breaks_give_their_places_back() {
    let limits = per_account(1);
    let service = streaming(&limits, [Ok("a"), Err("broken"), Ok("b")]);
    let ask = || service.clone().oneshot(request("t", "ann"));
    let mut answer = ask().await.unwrap();
    answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(open_now(&limits, "open"), 1);
    answer.body_mut().frame().await.unwrap().unwrap_err();
    assert_eq!(open_now(&limits, "open"), 0);
    let mut answer = ask().await.unwrap();
    answer.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(open_now(&limits, "open"), 1);
    drop(answer);
    assert_eq!(open_now(&limits, "open"), 0);
}

#[tokio::test]
async fn a_future_that_is_dropped_fails_or_panics_gives_its_place_back() {
    let limits = per_account(1);
    let layer = RateLimitLayer::new(limits.clone());
    type Inner = Request<RequestBody<Full<Bytes>>>;

    let waiting = layer.layer(service_fn(|_: Inner| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    }));
    let mut future = Box::pin(waiting.oneshot(request("t", "ann")));
    for _ in 0..3 {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(polled.is_pending());
    }
    assert_eq!(open_now(&limits, "open"), 1);
    drop(future);
    assert_eq!(open_now(&limits, "open"), 0);

    let failing = layer.layer(service_fn(|_: Inner| async {
        Err::<Response<Full<Bytes>>, _>("inner")
    }));
    assert!(failing.oneshot(request("t", "ann")).await.is_err());
    assert_eq!(open_now(&limits, "open"), 0);

    let panicking = layer.layer(service_fn(|request: Inner| async move {
        assert!(request.uri().path() != "/mcp", "for the test");
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let panicked = tokio::spawn(AssertUnwindSafe(panicking.oneshot(request("t", "ann"))).0);
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(open_now(&limits, "open"), 0);
}

#[tokio::test]
async fn rl_2_saturation_of_the_process_is_503_for_anybody_and_charges_nothing() {
    let limits = RateLimits::builder().clock(clock()).account(quota(60, 5));
    let limits = limits.open_in_all(2).build().unwrap();
    let service = streaming(&limits, [Ok("a")]);
    let ask = |who| service.clone().oneshot(request("t", who));
    let held = [ask("ann").await.unwrap(), ask("bob").await.unwrap()];
    for who in ["ann", "carl"] {
        let refused = ask(who).await.unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert!(!refused.headers().contains_key("ratelimit"), "RL-5");
        let denial = refused.extensions().get::<bartizan_core::Denial>();
        assert_eq!(denial.unwrap().kind(), DenialKind::Saturated);
    }
    drop(held);
    for left in [4, 3, 2] {
        let answer = ask("carl").await.unwrap();
        let told = answer.headers()["ratelimit"].to_str().unwrap();
        assert!(
            told.starts_with(&format!(r#""account";r={left}"#)),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_rate_that_refuses_takes_no_place_and_no_place_takes_no_rate() {
    let limits = RateLimits::builder().clock(clock()).account(quota(60, 2));
    let limits = limits.open_per_account(1).build().unwrap();
    let service = streaming(&limits, [Ok("a")]);
    let ask = || service.clone().oneshot(request("t", "ann"));
    let held = ask().await.unwrap();
    for _ in 0..50 {
        assert_eq!(ask().await.unwrap().status(), 429);
    }
    drop(held);
    assert_eq!(ask().await.unwrap().status(), 200, "one was left");
    assert_eq!(ask().await.unwrap().status(), 429, "of the rate");
    assert_eq!(open_now(&limits, "open"), 0);
}

#[tokio::test]
async fn rl_10_discovery_and_ping_are_not_counted_where_calls_are_open() {
    let limits = RateLimits::builder().clock(clock()).open_per_account(1);
    let limits = limits.open_in_all(1).build().unwrap();
    let service = streaming(&limits, [Ok("a")]);
    let _held = service.clone().oneshot(request("t", "ann")).await.unwrap();
    let guarded = guarded(limits);
    for name in ["server/discover", "initialize", "ping"] {
        let answer = method(name, "{}").by("ann").to(&guarded).await;
        assert_eq!(answer.status(), 200, "{name}");
    }
    let answer = method("tools/list", "{}").by("ann").to(&guarded).await;
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn streams_that_are_listened_on_have_a_limit_of_their_own() {
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.tier(Tier::open("streams", 1).by(By::account()).streams());
    let limits = limits.build().unwrap();
    let service = streaming(&limits, [Ok("a")]);
    let stream = || {
        let (mut parts, _) = request("t", "ann").into_parts();
        parts.method = http::Method::GET;
        service
            .clone()
            .oneshot(Request::from_parts(parts, Full::default()))
    };
    let held = stream().await.unwrap();
    assert_eq!(held.status(), 200);
    assert_eq!(stream().await.unwrap().status(), 429);
    let listen = method("subscriptions/listen", "{}").by("ann");
    assert_eq!(listen.to(&guarded(limits.clone())).await.status(), 429);
    let call = service.clone().oneshot(request("t", "ann"));
    assert_eq!(call.await.unwrap().status(), 200);
    drop(held);
    assert_eq!(stream().await.unwrap().status(), 200);
}

#[tokio::test]
async fn near_saturation_calls_that_can_wait_are_shed_first() {
    let limits = RateLimits::builder().clock(clock()).open_in_all(10);
    let limits = limits.low_priority_tool("report").shed_from(50);
    let limits = limits.build().unwrap();
    let service = streaming(&limits, [Ok("a")]);
    let ask = |tool| service.clone().oneshot(request(tool, "ann"));
    let mut held = Vec::new();
    for open in 0..10 {
        let report = ask("report").await.unwrap();
        let expected = if open < 5 { 200 } else { 503 };
        assert_eq!(report.status(), expected, "{open} are open");
        drop(report);
        held.push(ask("urgent").await.unwrap());
        assert_eq!(held[open].status(), 200);
    }
    assert_eq!(ask("urgent").await.unwrap().status(), 503);
    let error = RateLimits::builder().account(quota(60, 1));
    let error = error.low_priority_tool("report").build().unwrap_err();
    assert!(error.to_string().contains("`report`"), "{error}");
}

fn outside(limits: AddressLimits) -> impl Fn(&'static str, &'static str) -> Answered {
    let service = AddressLimitLayer::new(limits).layer(service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::from("answer")))
    }));
    move |address, method| {
        let mut request = Request::post("/mcp")
            .header("mcp-method", method)
            .body(())
            .unwrap();
        let context = SecurityContext::of(&mut request);
        context
            .set_client_address(address.parse().unwrap())
            .unwrap();
        Box::pin(service.clone().oneshot(request))
    }
}

type Answered = Pin<Box<dyn Future<Output = Result<Answer, Infallible>>>>;

#[tokio::test]
async fn rl_9_before_authentication_the_process_and_each_address_have_a_most() {
    let limits = AddressLimits::builder().clock(clock());
    let limits = limits.open_per_address(2).open_in_all(3).build().unwrap();
    let ask = outside(limits.clone());
    let one = ask("192.0.2.1", "tools/call").await.unwrap();
    assert_eq!(http_body::Body::size_hint(one.body()).exact(), Some(6));
    let _two = ask("192.0.2.1", "tools/call").await.unwrap();
    let refused = ask("192.0.2.1", "tools/call").await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), denial(&refused).kind()),
        (429, DenialKind::RateLimited)
    );
    let _three = ask("192.0.2.2", "tools/call").await.unwrap();
    let refused = ask("192.0.2.3", "tools/call").await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(
        header(&refused, "content-type"),
        Some("application/problem+json")
    );
    let discovery = ask("192.0.2.3", "server/discover").await.unwrap();
    assert_eq!(discovery.status(), 200, "RL-10: a little more");
    let lie = ask("192.0.2.3", "ping").await.unwrap();
    assert_eq!(lie.status(), 503, "and no more than that");
    assert_eq!(text(one).await, "answer");
    drop(discovery);
    assert_eq!(ask("192.0.2.3", "tools/call").await.unwrap().status(), 200);
}

#[test]
fn in_threads_no_more_are_open_than_may_be_and_none_is_forgotten() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let limits = RateLimits::builder()
        .open_per_account(3)
        .open_in_all(5)
        .build()
        .unwrap();
    let (open, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (limits, open, most, admitted) = (limits.clone(), &open, &most, &admitted);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let service = streaming(&limits, [Ok("a")]);
                for round in 0..300 {
                    let who = ["ann", "bob", "carl"][(number + round) % 3];
                    let answer = runtime.block_on(service.clone().oneshot(request("t", who)));
                    let answer = answer.unwrap();
                    if answer.status() == 200 {
                        let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        admitted.fetch_add(1, Ordering::Relaxed);
                        std::thread::yield_now();
                        open.fetch_sub(1, Ordering::SeqCst);
                    }
                    drop(answer);
                }
            });
        }
    });
    assert!(most.load(Ordering::SeqCst) <= 5);
    assert!(admitted.load(Ordering::Relaxed) > 300);
    assert_eq!(
        (open_now(&limits, "open"), open_now(&limits, "open_in_all")),
        (0, 0)
    );
}

//! What the layers do with the service inside.

use std::{convert::Infallible, future::Ready, rc::Rc};

use bartizan_core::{Denial, DenialKind, RequestBody, SecurityContext};
use bartizan_ratelimit::{
    AddressLimit, AddressLimitLayer, AddressLimits, RateLimit, RateLimitLayer, RateLimits,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, util::ServiceFn};

use crate::common::*;

fn by_address() -> AddressLimitLayer {
    let limits = AddressLimits::builder().clock(clock());
    AddressLimitLayer::new(limits.address(quota(60, 1)).build().unwrap())
}

fn by_account() -> RateLimitLayer {
    let limits = RateLimits::builder().clock(clock());
    RateLimitLayer::new(limits.account(quota(60, 1)).build().unwrap())
}

fn call() -> Request<Full<Bytes>> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let request = Request::post("/mcp").header("content-type", "application/json");
    request.body(Full::from(body)).unwrap()
}

#[tokio::test]
async fn seed_r12_a_refused_request_does_not_reach_the_service_by_address() {
    let (mock, mut handle) = tower_test::mock::pair::<Request<Full<Bytes>>, Response<()>>();
    let service = by_address().layer(mock);
    let first = tokio::spawn(service.clone().oneshot(call()));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_error("inner");
    let error = first.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "inner", "the error is the service's own");
    assert_eq!(service.oneshot(call()).await.unwrap().status(), 429);
    // The service is gone with its last clone: nothing more was asked.
    assert!(handle.next_request().await.is_none());
}

#[tokio::test]
async fn seed_r12_a_refused_call_does_not_reach_the_service() {
    let (mock, mut handle) =
        tower_test::mock::pair::<Request<RequestBody<Full<Bytes>>>, Response<()>>();
    let service = by_account().layer(mock);
    let first = tokio::spawn(service.clone().oneshot(call()));
    let (_, respond) = handle.next_request().await.unwrap();
    respond.send_error("inner");
    assert_eq!(first.await.unwrap().unwrap_err().to_string(), "inner");
    assert_eq!(service.oneshot(call()).await.unwrap().status(), 429);
    assert!(handle.next_request().await.is_none());
}

#[test]
fn readiness_is_the_inner_services() {
    type Bare = Request<Full<Bytes>>;
    type Read = Request<RequestBody<Full<Bytes>>>;
    let (mut first, mut handle) =
        tower_test::mock::spawn_with::<Bare, Response<()>, _, _>(|mock| by_address().layer(mock));
    handle.allow(0);
    assert!(first.poll_ready::<Bare>().is_pending());
    handle.allow(1);
    assert!(first.poll_ready::<Bare>().is_ready());
    let (mut second, mut handle) =
        tower_test::mock::spawn_with::<Read, Response<()>, _, _>(|mock| by_account().layer(mock));
    handle.allow(0);
    assert!(second.poll_ready::<Bare>().is_pending());
    handle.allow(1);
    assert!(second.poll_ready::<Bare>().is_ready());
}

#[test]
fn they_are_shared_and_the_first_place_serves_every_body() {
    /// Neither `Send`, `Sync`, `Clone` nor a body.
    struct Stubborn(#[expect(dead_code)] Rc<()>);

    type Inner<Req, Res> = ServiceFn<fn(Request<Req>) -> Ready<Result<Response<Res>, Infallible>>>;
    fn serves<S: Service<Request<Req>>, Req>() {}
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>() {}

    serves::<AddressLimit<Inner<Stubborn, Stubborn>>, Stubborn>();
    serves::<RateLimit<Inner<RequestBody<Full<Bytes>>, Stubborn>>, Full<Bytes>>();
    is_shared::<AddressLimitLayer>();
    is_shared::<RateLimitLayer>();
    is_shared::<RateLimits>();
    is_shared::<AddressLimits>();
}

/// Who leaves before the answer has learnt nothing; its request stays counted.
#[tokio::test]
async fn a_request_that_is_given_up_is_counted_and_is_no_failure() {
    let limits = AddressLimits::builder().clock(clock());
    let limits = limits
        .address(quota(60, 2))
        .failed_authentication(quota(60, 1));
    let layer = AddressLimitLayer::new(limits.build().unwrap());
    let (mock, mut handle) = tower_test::mock::pair::<Request<()>, Response<()>>();
    handle.allow(10);
    let mut service = layer.layer(mock);
    drop(service.ready().await.unwrap().call(Request::new(())));
    handle.next_request().await.unwrap();

    let answer = tokio::spawn(service.clone().oneshot(Request::new(())));
    let (_, respond) = handle.next_request().await.unwrap();
    let mut refusal = Response::new(());
    let denial = Denial::new(DenialKind::CredentialsInvalid, "");
    refusal.extensions_mut().insert(denial);
    respond.send_response(refusal);
    answer.await.unwrap().unwrap();

    let answer = service.oneshot(Request::new(())).await.unwrap();
    let denial = answer.extensions().get::<Denial>().unwrap();
    assert_eq!(answer.status(), 429);
    assert!(denial.reason().contains("`address`"), "{}", denial.reason());
}

/// Both places and what stands between them.
#[tokio::test]
async fn rl_5_bad_credentials_that_claim_a_victim_change_nothing_for_it() {
    let outside = AddressLimits::builder().clock(clock());
    let outside = outside.failed_authentication(quota(60, 1_000_000)).build();
    let inside = RateLimits::builder().clock(clock());
    let inside = inside.account(quota(60, 2)).build().unwrap();
    let guarded = guarded(inside.clone());
    // Believes whoever says `good`, and nobody else.
    let authentication = tower::service_fn(move |mut request: Request<Full<Bytes>>| {
        let guarded = guarded.clone();
        async move {
            let claimed = request.headers()["authorization"]
                .to_str()
                .unwrap()
                .to_owned();
            let Some(subject) = claimed.strip_prefix("good ") else {
                let context = SecurityContext::of(&mut request);
                let denial = Denial::new(DenialKind::CredentialsInvalid, "forged");
                return Ok::<_, Infallible>(denial.into_response(&context));
            };
            let ann = bartizan_core::Principal::user("https://auth.example.com", subject);
            bartizan_core::identify(&mut request, ann.build("jwt")).unwrap();
            guarded.oneshot(request).await
        }
    });
    let service = AddressLimitLayer::new(outside.unwrap()).layer(authentication);
    let ask = |credential: &str| {
        let mut request = call();
        let credential = credential.parse().unwrap();
        request.headers_mut().insert("authorization", credential);
        let context = SecurityContext::of(&mut request);
        context.set_client_address([192, 0, 2, 1].into()).unwrap();
        service.clone().oneshot(request)
    };
    for _ in 0..1000 {
        assert_eq!(ask("forged ann").await.unwrap().status(), 401);
    }
    let answer = ask("good ann").await.unwrap();
    assert_eq!(answer.headers()["ratelimit"], r#""account";r=1;t=1"#);
    assert_eq!(inside.statistics()[0].total_requests, 1);
}

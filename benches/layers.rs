//! Each layer alone, and the stack: time by criterion, allocations by a counting allocator.
//!
//! ```sh
//! cargo bench --bench layers
//! ```
//!
//! A figure is a whole request: clone of the service, readiness, call, poll to the response, drop
//! of both. `inner` is the service without any layer, so a layer's own cost is its figure less
//! that one; of what every first layer makes, `context_only` tells. Allocations are printed once per case, before the timing.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at what goes wrong, prints its counts, and is no API"
)]

use std::{
    convert::Infallible,
    hint::black_box,
    io,
    pin::pin,
    sync::{Barrier, LazyLock},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post};
use bartizan::{
    AddressLimitLayer, AuditLayer, CallLayer, CorsLayer, JsonLines, JwtLayer, JwtVerifier,
    NetworkLayer, OAuthLayer, OpaqueVerifier, Principal, RateLimitLayer, RbacLayer,
    SecurityContext, SecurityHeadersLayer,
    audit::{AuditSink, Record},
    identify,
    network::PeerAddr,
    oauth::{ClientAuth, Introspection},
    ratelimit::{AddressLimits, Quota, RateLimits},
    rbac::{Policy, Rule},
};
use bartizan_kit::{Algorithm, McpRequest, Revision, TokenMint, call_tool};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, util::MapRequestLayer};

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://mcp.example.com/mcp";
const ORIGIN: &str = "https://app.example.com";

/// Answers at once.
#[derive(Clone)]
struct Inner;

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::new(Bytes::from_static(b"{}")))))
    }
}

fn request() -> McpRequest {
    let arguments = json!({"id": 42, "text": "x".repeat(120)});
    dressed(call_tool(Revision::V2026_07_28, "write_note", arguments))
}

fn deletion() -> McpRequest {
    dressed(call_tool(Revision::V2026_07_28, "delete_note", json!({})))
}

fn browser() -> McpRequest {
    request().origin(ORIGIN)
}

fn dressed(request: McpRequest) -> McpRequest {
    request
        .host("localhost:8080")
        .extension(PeerAddr(([127, 0, 0, 1], 5000).into()))
}

/// A verifier that remembers so many tokens.
fn verifier(remembered: usize) -> JwtVerifier {
    JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(mint().jwks().to_string())
        .token_cache_capacity(remembered)
        .build()
        .unwrap()
}

/// Drives one request to its answer, which must be there at the first poll.
fn drive<S, B>(service: &S, request: Request<Full<Bytes>>) -> StatusCode
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let future = pin!(service.clone().oneshot(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => black_box(response).status(),
        Poll::Pending => panic!("the answer was not there at once"),
    }
}

fn case<S, B>(c: &mut Criterion, name: &str, service: S, request: McpRequest, expected: u16)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let request = request.build();
    assert_eq!(drive(&service, request.clone()), expected, "{name}");
    print_allocations(name, &service, request.clone());
    c.bench_function(name, |b| {
        b.iter_batched(
            || request.clone(),
            |request| drive(&service, request),
            BatchSize::SmallInput,
        );
    });
}

/// Of a request after the first.
fn print_allocations<S, B>(name: &str, service: &S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let counted = allocation_counter::measure(|| {
        drive(service, request);
    });
    println!(
        "{name}: {} allocations, {} bytes",
        counted.count_total, counted.bytes_total
    );
}

fn layers(c: &mut Criterion) {
    case(c, "inner", Inner, request(), 200);
    let context = MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        let _ = SecurityContext::of(&mut request);
        request
    });
    case(c, "context_only", context.layer(Inner), request(), 200);

    let headers = SecurityHeadersLayer::mcp().layer(Inner);
    case(c, "headers/accepted", headers, request(), 200);
    let audit = AuditLayer::new(JsonLines::to(io::sink())).layer(Inner);
    case(c, "audit/accepted", audit, request(), 200);
    let full = AuditLayer::new(NoRoom).layer(Inner);
    case(c, "audit/refused", full, request(), 503);
    let network = NetworkLayer::new().layer(Inner);
    case(c, "network/accepted", network.clone(), request(), 200);
    let evil = request().host("evil.example");
    case(c, "network/refused", network, evil, 403);
    let cors = cors().layer(Inner);
    case(c, "cors/accepted", cors.clone(), browser(), 200);
    let evil = request().origin("https://evil.example");
    case(c, "cors/refused", cors, evil, 403);
    let limit = |quota| {
        let limits = AddressLimits::builder().address(quota).build();
        AddressLimitLayer::new(limits.unwrap()).layer(Inner)
    };
    case(c, "address_limit/accepted", limit(plenty()), request(), 200);
    let exhausted = spent(limit(one()), request);
    case(c, "address_limit/refused", exhausted, request(), 429);

    authentication(c);

    let call = CallLayer::new().layer(Inner);
    case(c, "call/accepted", call.clone(), request(), 200);
    let twofold = request().body("{\"a\":1,\"a\":2}");
    case(c, "call/refused", call, twofold, 400);
    // These decide by the principal and the call, so both are there before.
    let called = |inner| identified().layer(CallLayer::new().layer(inner));
    case(c, "identified_call_only", called(Inner), request(), 200);
    let limit = |quota| identified().layer(limits(quota).layer(Inner));
    case(c, "ratelimit/accepted", limit(plenty()), request(), 200);
    let exhausted = spent(limit(one()), request);
    case(c, "ratelimit/refused", exhausted, request(), 429);
    let rbac = identified().layer(rbac().layer(Inner));
    case(c, "rbac/accepted", rbac.clone(), request(), 200);
    case(c, "rbac/refused", rbac, deletion(), 403);
    let large = identified().layer(RbacLayer::new(large_policy()).layer(Inner));
    case(
        c,
        "rbac/accepted_of_1000_rules_100_roles",
        large,
        request(),
        200,
    );
}

fn authentication(c: &mut Criterion) {
    let token = token();
    let remembering = JwtLayer::new(verifier(1000)).layer(Inner);
    let forgetful = JwtLayer::new(verifier(0)).layer(Inner);
    let good = || request().bearer(&token);
    case(c, "jwt/rs256_warm", remembering.clone(), good(), 200);
    case(c, "jwt/rs256_cold", forgetful, good(), 200);
    let spoiled = request().bearer(mint().token().encode_spoiled());
    case(c, "jwt/bad_signature", remembering.clone(), spoiled, 401);
    case(c, "jwt/refused_without_token", remembering, request(), 401);
    opaque(c);
}

/// A token that its provider was asked about once.
fn opaque(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let issuer = runtime.block_on(provider());
    let secret = ClientAuth::basic("a secret of this server".to_owned());
    let server = Introspection::new(&issuer, format!("{issuer}/introspect"), "mcp", secret);
    let verifier = OpaqueVerifier::builder(server.audience(AUDIENCE)).build();
    let service = OAuthLayer::new(verifier.unwrap()).layer(Inner);
    let good = || request().bearer("2YotnFZFEjr1zCsicMWpAA");
    let asked = runtime.block_on(service.clone().oneshot(good().build()));
    assert_eq!(asked.unwrap().status(), 200);
    let _entered = runtime.enter();
    case(c, "oauth/remembered", service.clone(), good(), 200);
    case(c, "oauth/refused_without_token", service, request(), 401);
}

/// Says of every token that it is Ann's.
async fn provider() -> String {
    let answer = || async { Json(json!({"active": true, "aud": AUDIENCE, "sub": "ann"})) };
    let app = Router::new().route("/introspect", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    issuer
}

/// Takes no record.
struct NoRoom;

impl AuditSink for NoRoom {
    fn reserve(&self) -> bool {
        false
    }

    fn release(&self) {}

    fn write(&self, _: &Record<'_>) {}
}

fn stack(c: &mut Criterion) {
    let token = token();
    let good = || browser().bearer(&token);
    let warm = whole(1000, plenty());
    case(c, "stack/warm", warm.clone(), good(), 200);
    case(c, "stack/cold", whole(0, plenty()), good(), 200);
    let without_token = "stack/refused_without_token";
    case(c, without_token, warm.clone(), browser(), 401);
    let deletion = deletion().origin(ORIGIN).bearer(&token);
    case(c, "stack/refused_by_rbac", warm.clone(), deletion, 403);
    let exhausted = spent(whole(1000, one()), good);
    case(c, "stack/refused_by_ratelimit", exhausted, good(), 429);
    two_threads(c, "stack/warm_2_threads", &warm, &good().build());
}

/// Each thread's mean time of a request while both send; requests are made within it.
fn two_threads<S, B>(c: &mut Criterion, name: &str, service: &S, request: &Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone + Sync,
{
    assert_eq!(drive(service, request.clone()), 200, "{name}");
    print_allocations(name, service, request.clone());
    c.bench_function(name, |b| {
        b.iter_custom(|count| {
            let start = Barrier::new(2);
            let one = || {
                start.wait();
                let begun = Instant::now();
                for _ in 0..count {
                    assert_eq!(drive(service, request.clone()), 200);
                }
                begun.elapsed()
            };
            let (a, b) = thread::scope(|scope| {
                let other = scope.spawn(one);
                (one(), other.join().unwrap())
            });
            (a + b) / 2
        });
    });
}

/// All layers, outermost first.
fn whole(
    remembered: usize,
    quota: Quota,
) -> impl Service<Request<Full<Bytes>>, Response = Response<impl Send>, Error = Infallible, Future: Send>
+ Clone
+ Sync {
    ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(AuditLayer::new(JsonLines::to(io::sink())))
        .layer(NetworkLayer::new())
        .layer(cors())
        .layer(AddressLimitLayer::new(
            AddressLimits::builder().address(plenty()).build().unwrap(),
        ))
        .layer(JwtLayer::new(verifier(remembered)))
        .layer(CallLayer::new())
        .layer(limits(quota))
        .layer(rbac())
        .service(Inner)
}

fn cors() -> CorsLayer {
    CorsLayer::new().allow_origin(ORIGIN).unwrap()
}

fn limits(quota: Quota) -> RateLimitLayer {
    let limits = RateLimits::builder().global(plenty()).account(quota);
    RateLimitLayer::new(limits.other_tools(plenty()).build().unwrap())
}

fn rbac() -> RbacLayer {
    let policy = Policy::builder()
        .role("editor", [])
        .rule(Rule::tool("write_note").role("editor"))
        .rule(Rule::tool("delete_note").deny());
    RbacLayer::new(policy.build().unwrap())
}

/// 1,000 rules and 100 roles; what one decision takes of it is measured in `layers/rbac/benches`.
fn large_policy() -> Policy {
    let mut policy = Policy::builder().role("editor", []);
    for n in 1..100 {
        policy = policy.role(&format!("role_{n}"), []);
    }
    for n in 1..1000 {
        let rule = Rule::tool(&format!("tool_{n}")).role(&format!("role_{}", 1 + n % 99));
        policy = policy.rule(rule);
    }
    let last = Rule::tool("write_note").role("editor");
    policy.rule(last).build().unwrap()
}

fn plenty() -> Quota {
    let quota = Quota::per_second(1_000_000);
    quota.and_then(|quota| quota.burst(1_000_000)).unwrap()
}

/// A single request, and the next much later.
fn one() -> Quota {
    Quota::per_hour(1).unwrap()
}

/// Without what the first request takes.
fn spent<S, B>(service: S, request: impl Fn() -> McpRequest) -> S
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    assert_eq!(drive(&service, request().build()), 200);
    service
}

/// As an authentication layer leaves it.
fn identified() -> MapRequestLayer<fn(Request<Full<Bytes>>) -> Request<Full<Bytes>>> {
    MapRequestLayer::new(|mut request| {
        static ANN: LazyLock<Principal> = LazyLock::new(|| {
            Principal::user(ISSUER, "ann")
                .roles(["editor"])
                .build("jwt")
        });
        identify(&mut request, ANN.clone()).unwrap();
        request
    })
}

fn mint() -> TokenMint {
    TokenMint::new(ISSUER, AUDIENCE)
}

fn token() -> String {
    mint()
        .token()
        .signed_by(&mint().key(Algorithm::Rs256))
        .claim("roles", json!(["editor"]))
        .expires_in(3600)
        .encode()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers, stack
}
criterion_main!(benches);

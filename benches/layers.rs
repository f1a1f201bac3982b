//! Each layer alone, and the stack: time by criterion, allocations by a counting allocator.
//!
//! ```sh
//! cargo bench --bench layers
//! ```
//!
//! A figure is a whole request: clone of the service, readiness, call, poll to the response, drop
//! of both. `inner` is the service without any layer, so a layer's own cost is its figure less
//! that one. Allocations are printed once per case, before the timing.

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
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bartizan::{
    CallLayer, CorsLayer, JwtLayer, JwtVerifier, NetworkLayer, SecurityHeadersLayer,
    network::PeerAddr,
};
use bartizan_kit::{Algorithm, McpRequest, Revision, SigningKey, TokenMint, call_tool};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

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
    call_tool(Revision::V2026_07_28, "write_note", arguments)
        .host("localhost:8080")
        .extension(PeerAddr(([127, 0, 0, 1], 5000).into()))
}

fn verifier(key: &SigningKey) -> JwtVerifier {
    JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(json!({"keys": [key.jwk()]}).to_string())
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
    let warm = request.clone();
    let counted = allocation_counter::measure(|| {
        drive(&service, warm);
    });
    println!(
        "{name}: {} allocations, {} bytes",
        counted.count_total, counted.bytes_total
    );
    c.bench_function(name, |b| {
        b.iter_batched(
            || request.clone(),
            |request| drive(&service, request),
            BatchSize::SmallInput,
        );
    });
}

fn layers(c: &mut Criterion) {
    let key = SigningKey::shared(Algorithm::Rs256);
    let jwt = verifier(&key);
    let token = TokenMint::new(ISSUER, AUDIENCE)
        .token()
        .signed_by(&key)
        .expires_in(3600)
        .encode();
    let cors = CorsLayer::new().allow_origin(ORIGIN).unwrap();

    case(c, "inner", Inner, request(), 200);
    let headers = SecurityHeadersLayer::mcp().layer(Inner);
    case(c, "headers/accepted", headers, request(), 200);
    let network = NetworkLayer::new().layer(Inner);
    case(c, "network/accepted", network.clone(), request(), 200);
    case(
        c,
        "network/refused",
        network,
        request().host("evil.example"),
        403,
    );
    let guarded = cors.clone().layer(Inner);
    case(
        c,
        "cors/accepted",
        guarded.clone(),
        request().origin(ORIGIN),
        200,
    );
    case(
        c,
        "cors/refused",
        guarded,
        request().origin("https://evil.example"),
        403,
    );
    let guarded = JwtLayer::new(jwt.clone()).layer(Inner);
    case(
        c,
        "jwt/rs256_accepted",
        guarded.clone(),
        request().bearer(&token),
        200,
    );
    case(c, "jwt/refused_without_token", guarded, request(), 401);
    let call = CallLayer::new().layer(Inner);
    case(c, "call/accepted", call.clone(), request(), 200);
    case(
        c,
        "call/refused",
        call,
        request().body("{\"a\":1,\"a\":2}"),
        400,
    );

    let stack = ServiceBuilder::new()
        .layer(SecurityHeadersLayer::mcp())
        .layer(NetworkLayer::new())
        .layer(cors)
        .layer(JwtLayer::new(jwt))
        .layer(CallLayer::new())
        .service(Inner);
    let browser = || request().origin(ORIGIN);
    case(
        c,
        "stack/accepted",
        stack.clone(),
        browser().bearer(&token),
        200,
    );
    case(c, "stack/refused_without_token", stack, browser(), 401);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = layers
}
criterion_main!(benches);

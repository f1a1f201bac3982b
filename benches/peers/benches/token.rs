//! What a token costs beside a layer that only makes the context, and beside the provider's bare signature.
//!
//! ```sh
//! cargo bench --manifest-path benches/peers/Cargo.toml --bench token
//! cargo bench --manifest-path benches/peers/Cargo.toml --bench token -- --check   # fails where a goal is missed
//! ```
//!
//! `warm` and `cold` are whole requests through `JwtLayer`, as `context_only` is through a layer that does nothing
//! else; `verify` is `jsonwebtoken`'s verifier for the same token, built and asked, and nothing besides.

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
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bartizan::{JwtLayer, JwtVerifier, SecurityContext};
use bartizan_kit::{Algorithm, TokenMint};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group};
use http::{Request, Response};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, crypto::aws_lc::DEFAULT_PROVIDER};
use tower::{Layer, Service, ServiceExt, util::MapRequestLayer};

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://mcp.example.com/mcp";

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
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

fn layer(mint: &TokenMint, remembered: usize) -> JwtLayer {
    let verifier = JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .jwk_set(mint.jwks().to_string())
        .token_cache_capacity(remembered);
    JwtLayer::new(verifier.build().unwrap())
}

fn drive<S, B>(service: &S, request: Request<Full<Bytes>>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let future = pin!(service.clone().oneshot(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => assert_eq!(black_box(response).status(), 200),
        Poll::Pending => panic!("the answer was not there at once"),
    }
}

fn request(token: &str) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<Bytes>::default())
        .unwrap()
}

/// What one request allocates, once the service knows its token.
fn allocations<S, B>(service: &S, token: &str) -> u64
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let request = request(token);
    drive(service, request.clone());
    allocation_counter::measure(|| drive(service, request)).count_total
}

/// A layer that makes the context and does nothing else.
macro_rules! context_only {
    () => {
        MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
            let _ = SecurityContext::of(&mut request);
            request
        })
        .layer(Inner)
    };
}

/// A token and the provider's own check of its signature.
struct Sample {
    name: &'static str,
    token: String,
    foreign: jsonwebtoken::Algorithm,
    public: DecodingKey,
    signature: Vec<u8>,
}

impl Sample {
    fn all(mint: &TokenMint) -> [Self; 3] {
        let sample = |algorithm: Algorithm, foreign, read: fn(&[u8]) -> _| {
            let key = mint.key(algorithm);
            let token = mint.token().signed_by(&key).expires_in(86_400).encode();
            let read: Result<DecodingKey, jsonwebtoken::errors::Error> =
                read(key.public_pem().as_bytes());
            let (message, _) = token.rsplit_once('.').unwrap();
            Self {
                name: algorithm.name(),
                signature: key.sign(message.as_bytes()),
                public: read.unwrap(),
                foreign,
                token,
            }
        };
        use jsonwebtoken::Algorithm as Foreign;
        [
            sample(Algorithm::Rs256, Foreign::RS256, DecodingKey::from_rsa_pem),
            sample(Algorithm::Es256, Foreign::ES256, DecodingKey::from_ec_pem),
            sample(Algorithm::EdDsa, Foreign::EdDSA, DecodingKey::from_ed_pem),
        ]
    }

    fn verify(&self) {
        let (message, _) = self.token.rsplit_once('.').unwrap();
        let factory = DEFAULT_PROVIDER.verifier_factory;
        let verifier = factory(&self.foreign, &self.public).unwrap();
        let message = black_box(message.as_bytes());
        verifier.verify(message, &self.signature).unwrap();
    }
}

fn case<S, B>(c: &mut Criterion, name: &str, service: &S, token: &str)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    println!("{name}: {} allocations", allocations(service, token));
    let request = request(token);
    c.bench_function(name, |b| {
        b.iter_batched(
            || request.clone(),
            |request| drive(service, request),
            BatchSize::SmallInput,
        );
    });
}

fn tokens(c: &mut Criterion) {
    let mint = TokenMint::new(ISSUER, AUDIENCE);
    for sample in Sample::all(&mint) {
        let name = |case: &str| format!("{}/{case}", sample.name);
        let token = &sample.token;
        case(c, &name("context_only"), &context_only!(), token);
        case(c, &name("warm"), &layer(&mint, 1000).layer(Inner), token);
        case(c, &name("cold"), &layer(&mint, 0).layer(Inner), token);
        c.bench_function(&name("verify"), |b| b.iter(|| sample.verify()));
    }
}

/// Blocks of each case, in turn, so that a machine that slows down does so for all.
const BLOCKS: usize = 200;
/// Calls in a block.
const CALLS: u32 = 100;

/// The least time of one call in a block.
#[derive(Clone, Copy)]
struct Least(Duration);

impl Least {
    fn of_block(&mut self, calls: impl FnOnce()) {
        let begun = Instant::now();
        calls();
        self.0 = self.0.min(begun.elapsed() / CALLS);
    }
}

/// Holds a token to what it may cost: remembered, at most 0.5 us and one allocation more than a layer that only makes
/// the context; never seen, at most 1.1 times the bare verifier and 3 us.
fn check() -> ExitCode {
    let mint = TokenMint::new(ISSUER, AUDIENCE);
    let mut is_met = true;
    for sample in Sample::all(&mint) {
        let (bare, token) = (context_only!(), &sample.token);
        let (warm, cold) = (
            layer(&mint, 1000).layer(Inner),
            layer(&mint, 0).layer(Inner),
        );
        let more = allocations(&warm, token).saturating_sub(allocations(&bare, token));
        let [mut context, mut known, mut unknown, mut verified] = [Least(Duration::MAX); 4];
        let batch = || (0..CALLS).map(|_| request(token)).collect::<Vec<_>>();
        for _ in 0..BLOCKS {
            let requests = batch();
            context.of_block(|| requests.into_iter().for_each(|r| drive(&bare, r)));
            let requests = batch();
            known.of_block(|| requests.into_iter().for_each(|r| drive(&warm, r)));
            let requests = batch();
            unknown.of_block(|| requests.into_iter().for_each(|r| drive(&cold, r)));
            verified.of_block(|| (0..CALLS).for_each(|_| sample.verify()));
        }
        let extra = known.0.saturating_sub(context.0);
        let bound = verified.0.mul_f64(1.1) + Duration::from_micros(3);
        for (goal, is_reached) in [
            (
                format!("remembered: {extra:?} more than a context, at most 500ns"),
                extra <= Duration::from_nanos(500),
            ),
            (
                format!("remembered: {more} allocations more than a context, at most 1"),
                more <= 1,
            ),
            (
                format!("never seen: {:?}, at most {bound:?}", unknown.0),
                unknown.0 <= bound,
            ),
        ] {
            let verdict = if is_reached { "ok    " } else { "MISSED" };
            println!("{verdict} {}: {goal}", sample.name);
            is_met &= is_reached;
        }
    }
    if is_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

criterion_group!(benches, tokens);

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--check") {
        return check();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    ExitCode::SUCCESS
}

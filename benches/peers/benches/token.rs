//! What a token costs beside a layer that only makes the context, and beside the provider's bare signature.
//!
//! ```sh
//! cargo bench --manifest-path benches/peers/Cargo.toml --bench token
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
    task::{Context, Poll, Waker},
};

use bartizan::{JwtLayer, JwtVerifier, SecurityContext};
use bartizan_kit::{Algorithm, TokenMint};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
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

fn case<S, B>(c: &mut Criterion, name: &str, service: &S, token: &str)
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let request = Request::post("/mcp")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::<Bytes>::default())
        .unwrap();
    drive(service, request.clone());
    let first = request.clone();
    let counted = allocation_counter::measure(|| drive(service, first));
    println!("{name}: {} allocations", counted.count_total);
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
    let context = MapRequestLayer::new(|mut request: Request<Full<Bytes>>| {
        let _ = SecurityContext::of(&mut request);
        request
    });
    for (algorithm, foreign, read) in [
        (
            Algorithm::Rs256,
            jsonwebtoken::Algorithm::RS256,
            DecodingKey::from_rsa_pem as fn(&[u8]) -> _,
        ),
        (
            Algorithm::Es256,
            jsonwebtoken::Algorithm::ES256,
            DecodingKey::from_ec_pem,
        ),
        (
            Algorithm::EdDsa,
            jsonwebtoken::Algorithm::EdDSA,
            DecodingKey::from_ed_pem,
        ),
    ] {
        let key = mint.key(algorithm);
        let token = mint.token().signed_by(&key).expires_in(86_400).encode();
        let name = |case: &str| format!("{}/{case}", algorithm.name());
        case(c, &name("context_only"), &context.layer(Inner), &token);
        let warm = layer(&mint, 1000).layer(Inner);
        case(c, &name("warm"), &warm, &token);
        let cold = layer(&mint, 0).layer(Inner);
        case(c, &name("cold"), &cold, &token);

        let public: DecodingKey = read(key.public_pem().as_bytes()).unwrap();
        let (message, _) = token.rsplit_once('.').unwrap();
        let signature = key.sign(message.as_bytes());
        c.bench_function(&name("verify"), |b| {
            b.iter(|| {
                let verifier = (DEFAULT_PROVIDER.verifier_factory)(&foreign, &public).unwrap();
                verifier
                    .verify(black_box(message.as_bytes()), &signature)
                    .unwrap();
            });
        });
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);

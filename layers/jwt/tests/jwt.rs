//! The layer from outside: real tokens, a real issuer over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_core::{
    Denial, DenialKind, Event, Events, FakeClock, Principal, ResponseBody, SecurityContext,
};
use bartizan_jwt::{Algorithm, JwtConfigError, JwtLayer, JwtVerifier, JwtVerifierBuilder};
use bartizan_kit::{Behaviour, Endpoint, Issuer, TokenMint};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[path = "jwt/authorization.rs"]
mod authorization;
#[path = "jwt/construction.rs"]
mod construction;
#[path = "jwt/contract.rs"]
mod contract;
#[path = "jwt/fetching.rs"]
mod fetching;
#[path = "jwt/issuer.rs"]
mod issuer;
#[path = "jwt/issuers.rs"]
mod issuers;
#[path = "jwt/metadata.rs"]
mod metadata;
#[path = "jwt/outage.rs"]
mod outage;
#[path = "jwt/possession.rs"]
mod possession;
#[path = "jwt/providers.rs"]
mod providers;
#[path = "jwt/racing.rs"]
mod racing;
#[path = "jwt/remembering.rs"]
mod remembering;
#[path = "jwt/requests.rs"]
mod requests;
#[path = "jwt/revoking.rs"]
mod revoking;
#[path = "jwt/rotation.rs"]
mod rotation;
#[path = "jwt/secret.rs"]
mod secret;
#[path = "jwt/streams.rs"]
mod streams;
#[path = "jwt/vectors.rs"]
mod vectors;

const U: &str = "https://mcp.example.com/mcp";
const I: &str = "https://auth.example.com";
const NOW: u64 = 1_800_000_000;

fn clock() -> FakeClock {
    FakeClock::at(Duration::from_secs(NOW))
}

fn mint(clock: &FakeClock) -> TokenMint {
    TokenMint::new(I, U).with_clock(clock.clone())
}

/// A verifier with the mint's keys in hand.
fn builder(clock: &FakeClock) -> JwtVerifierBuilder {
    let jwks = mint(clock).jwks().to_string();
    JwtVerifier::builder()
        .issuer(I)
        .audience(U)
        .jwk_set(jwks)
        .clock(clock.clone())
}

/// A verifier that discovers the issuer's keys.
fn discovering(issuer: &Issuer, clock: &FakeClock) -> JwtVerifierBuilder {
    JwtVerifier::builder()
        .issuer(issuer.url())
        .audience(U)
        .clock(clock.clone())
}

fn reason(result: Result<Principal, Denial>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(denial) => denial.reason().to_owned(),
    }
}

/// Collects the kinds of events.
fn collected() -> (Events, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let events = Events::to(move |event: &Event| {
        sink.lock()
            .unwrap()
            .push(format!("{} {}", event.kind, event.detail));
    });
    (events, seen)
}

type Answer = Response<ResponseBody<Full<Bytes>>>;

/// Sends a request through the layer; the inner service names who called.
async fn send(layer: &JwtLayer, request: Request<Full<Bytes>>) -> Answer {
    let inner = service_fn(|request: Request<Full<Bytes>>| async move {
        assert!(request.headers().get(AUTHORIZATION).is_none(), "TV-15");
        let context = SecurityContext::find(request.extensions()).unwrap();
        let subject = context.principal().unwrap().subject().to_owned();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(subject))))
    });
    layer.layer(inner).oneshot(request).await.unwrap()
}

fn request(authorization: &str) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header(AUTHORIZATION, authorization)
        .body(Full::default())
        .unwrap()
}

async fn text(answer: Answer) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn challenge(answer: &Answer) -> &str {
    let mut lines = answer.headers().get_all("www-authenticate").iter();
    let line = lines.next().map_or("", |line| line.to_str().unwrap());
    assert!(lines.next().is_none());
    line
}

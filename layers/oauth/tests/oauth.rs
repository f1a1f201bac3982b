//! The layer from outside: real HTTP, to servers that answer as the providers document.
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
    AuthLayer, Denial, DenialKind, Event, Events, FakeClock, Principal, ResponseBody,
    SecurityContext,
};
use bartizan_oauth::{
    ClientAuth, Introspection, OAuthLayer, OpaqueVerifier, OpaqueVerifierBuilder,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};

#[path = "oauth/client_auth.rs"]
mod client_auth;
#[path = "oauth/construction.rs"]
mod construction;
#[path = "oauth/contract.rs"]
mod contract;
#[path = "oauth/github.rs"]
mod github;
#[path = "oauth/google.rs"]
mod google;
#[path = "oauth/introspection.rs"]
mod introspection;
#[path = "oauth/limits.rs"]
mod limits;
#[path = "oauth/outages.rs"]
mod outages;
#[path = "oauth/provider.rs"]
mod provider;
#[path = "oauth/requests.rs"]
mod requests;
#[path = "oauth/runtimes.rs"]
mod runtimes;
#[path = "oauth/stale.rs"]
mod stale;

use provider::{Answer, Asked, Provider};

const U: &str = "https://mcp.example.com/mcp";
const NOW: u64 = 1_800_000_000;

fn clock() -> FakeClock {
    FakeClock::at(Duration::from_secs(NOW))
}

/// A server that says every token is Ann's.
async fn of_ann() -> Provider {
    Provider::start(|_| Answer::json(&ann())).await
}

fn ann() -> Value {
    json!({
        "active": true,
        "aud": U,
        "sub": "ann",
        "client_id": "agent",
        "scope": "tools:call tools:list",
        "token_type": "Bearer",
        "exp": NOW + 3600,
    })
}

fn introspection(provider: &Provider) -> Introspection {
    let auth = ClientAuth::basic("secret".to_owned());
    Introspection::new(provider.url(), provider.url_of("/introspect"), "mcp", auth).audience(U)
}

fn builder(provider: &Provider, clock: &FakeClock) -> OpaqueVerifierBuilder {
    OpaqueVerifier::builder(introspection(provider)).clock(clock.clone())
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

fn request(authorization: &str) -> Request<Full<Bytes>> {
    Request::post("/mcp")
        .header(AUTHORIZATION, authorization)
        .body(Full::default())
        .unwrap()
}

/// Sends a request through the layer; the inner service names who called.
async fn send(
    layer: impl Into<AuthLayer>,
    request: Request<Full<Bytes>>,
) -> Response<ResponseBody<Full<Bytes>>> {
    let inner = service_fn(|request: Request<Full<Bytes>>| async move {
        assert!(request.headers().get(AUTHORIZATION).is_none(), "TV-15");
        let context = SecurityContext::find(request.extensions()).unwrap();
        let subject = context.principal().unwrap().subject().to_owned();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(subject))))
    });
    let layer: AuthLayer = layer.into();
    layer.layer(inner).oneshot(request).await.unwrap()
}

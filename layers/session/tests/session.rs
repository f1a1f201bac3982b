//! The layer over services that say what reached them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

#[path = "session/answers.rs"]
mod answers;
#[path = "session/events.rs"]
mod events;
#[path = "session/requests.rs"]
mod requests;
#[path = "session/vectors.rs"]
mod vectors;

use std::convert::Infallible;

use bartizan_core::{Principal, ResponseBody, SecurityContext, identify};
use bartizan_kit::{Echo, McpRequest, Revision, call_tool};
use bartizan_session::{SessionBody, SessionKeys, SessionLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt};

const ISSUER: &str = "https://auth.example.com";
const INNER: &str = "5f0c9f9e-7c3b-4a57-9d5d-0d8d1f6a2b11";

type Answer = Response<ResponseBody<SessionBody<Full<Bytes>>>>;

/// A secret that depends on one byte.
fn secret(seed: u8) -> Vec<u8> {
    (0..32)
        .map(|n| seed.wrapping_mul(31).wrapping_add(n))
        .collect()
}

fn keys() -> SessionKeys {
    SessionKeys::new(secret(1)).unwrap()
}

fn layer() -> SessionLayer {
    SessionLayer::new(keys())
}

fn user(subject: &str) -> Principal {
    Principal::user(ISSUER, subject)
        .client_id("agent-7")
        .build("test")
}

fn legacy() -> McpRequest {
    call_tool(Revision::V2025_11_25, "whoami", json!({}))
}

fn modern() -> McpRequest {
    call_tool(Revision::V2026_07_28, "whoami", json!({}))
}

fn by(principal: &Principal, request: McpRequest) -> Request<Full<Bytes>> {
    let mut request = request.build();
    identify(&mut request, principal.clone()).unwrap();
    request
}

/// What comes of a request, and what of it arrived.
async fn sent(layer: &SessionLayer, request: Request<Full<Bytes>>) -> (Answer, Echo) {
    let echo = Echo::new();
    let Ok(answer) = layer.layer(echo.clone()).oneshot(request).await;
    (answer, echo)
}

/// The same over a service that answers so.
async fn answered(
    layer: &SessionLayer,
    request: Request<Full<Bytes>>,
    answer: Response<Full<Bytes>>,
) -> Answer {
    let inner = tower::service_fn(move |_: Request<Full<Bytes>>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    let Ok(answer) = layer.layer(inner).oneshot(request).await;
    answer
}

/// The values of a header that arrived.
fn arrived(echo: &Echo, name: &str) -> Vec<String> {
    let received = echo.received();
    let [request] = &*received else {
        panic!("{} requests arrived", received.len())
    };
    let values = request.headers.get_all(name).iter();
    values.map(|v| v.to_str().unwrap().to_owned()).collect()
}

fn context(request: &mut Request<Full<Bytes>>) -> SecurityContext {
    let context = SecurityContext::of(request);
    context.open_trail();
    context
}

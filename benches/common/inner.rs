use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use tower::Service;

const REPLY: &[u8] =
    br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}"#;

/// A router with one route, whose handler answers a static JSON text.
pub fn router() -> Router {
    Router::new().route("/mcp", post(reply))
}

/// A router as `axum::serve` has it for each connection: its layers are around the handlers already, which
/// is otherwise done for each request.
pub fn served(router: Router) -> Router {
    router.with_state(())
}

async fn reply() -> Response<Body> {
    answer()
}

/// The same answer from a service without a router.
#[derive(Clone)]
pub struct Inner;

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(answer()))
    }
}

fn answer() -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(REPLY)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

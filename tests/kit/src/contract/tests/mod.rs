//! The contract tried on layers that keep it, and on layers that break one clause each.

use std::pin::Pin;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::{McpRequest, Revision, post};

mod breaking;
mod broken;
mod kept;

type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

fn discover() -> McpRequest {
    post(Revision::V2026_07_28, "server/discover", json!({}))
}

fn request() -> Request<Full<Bytes>> {
    discover().build()
}

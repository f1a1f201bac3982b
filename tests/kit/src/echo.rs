use std::{
    collections::HashMap,
    convert::Infallible,
    fmt::Debug,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bartizan_core::SecurityContext;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower_service::Service;

/// A stand-in for the MCP service: keeps what arrived, and answers a JSON-RPC result under the
/// same id. Clones share the log.
///
/// A notification or response gets 202 and no body, `GET` and `DELETE` get 200 and no body.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    received: Vec<Received>,
    results: HashMap<String, Value>,
}

/// A request as the inner service saw it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Received {
    /// The method.
    pub method: Method,
    /// The request target.
    pub uri: Uri,
    /// All header fields.
    pub headers: HeaderMap,
    /// The whole body, up to its end or its error.
    pub body: Bytes,
    /// How the body failed.
    pub body_error: Option<String>,
    /// The context that the layers stamped.
    pub context: Option<SecurityContext>,
}

impl Received {
    /// The subject of the principal, if an authentication layer stamped one.
    pub fn subject(&self) -> Option<&str> {
        Some(self.context.as_ref()?.principal()?.subject())
    }
}

impl Echo {
    /// An echo with an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers a method with this result from now on.
    #[must_use]
    pub fn with_result(self, method: &str, result: Value) -> Self {
        self.lock(|shared| shared.results.insert(method.to_owned(), result));
        self
    }

    /// Everything that arrived.
    pub fn received(&self) -> Vec<Received> {
        self.lock(|shared| shared.received.clone())
    }

    /// The only thing that arrived; panics if it was nothing, or more.
    pub fn only(&self) -> Received {
        let mut received = self.received();
        assert_eq!(received.len(), 1, "requests that arrived: {received:?}");
        received.remove(0)
    }

    /// Whether nothing arrived.
    pub fn is_untouched(&self) -> bool {
        self.received().is_empty()
    }

    fn lock<T>(&self, look: impl FnOnce(&mut Shared) -> T) -> T {
        look(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, received: Received) -> Response<Full<Bytes>> {
        let message: Value = serde_json::from_slice(&received.body).unwrap_or_default();
        let posted = received.method == Method::POST;
        self.lock(|shared| shared.received.push(received));
        let method = message["method"].as_str();
        let (Some(id), Some(method), true) = (message.get("id"), method, posted) else {
            let mut response = Response::new(Full::default());
            if posted {
                *response.status_mut() = StatusCode::ACCEPTED;
            }
            return response;
        };
        let result = self.lock(|shared| shared.results.get(method).cloned());
        let result = result.unwrap_or_else(|| json!({"resultType": "complete", "method": method}));
        let text = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        Response::builder()
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(text))
            .unwrap()
    }
}

impl<B> Service<Request<B>> for Echo
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Debug,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut body = Box::pin(body);
            let (mut bytes, mut body_error) = (Vec::new(), None);
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
                    Err(error) => body_error = Some(format!("{error:?}")),
                }
                if body_error.is_some() {
                    break;
                }
            }
            Ok(echo.answer(Received {
                method: parts.method,
                uri: parts.uri,
                context: SecurityContext::find(&parts.extensions).cloned(),
                headers: parts.headers,
                body: bytes.into(),
                body_error,
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::{Principal, identify};
    use tower::util::ServiceExt as _;

    use super::*;
    use crate::{Revision, call_tool, get_stream, raw};

    async fn send(echo: &Echo, request: Request<Full<Bytes>>) -> (StatusCode, Value) {
        let Ok(response) = echo.clone().oneshot(request).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn it_keeps_what_arrived_and_echoes_the_id() {
        let echo = Echo::new().with_result("tools/call", json!({"content": []}));
        let request = call_tool(Revision::V2025_11_25, "add", json!({})).id("seven");
        let bytes = request.bytes();
        let mut request = request.build();
        identify(&mut request, Principal::user("i", "ann").build("test")).unwrap();
        let (status, answer) = send(&echo, request).await;
        assert_eq!(status, 200);
        assert_eq!(answer["id"], "seven");
        assert_eq!(answer["result"], json!({"content": []}));
        assert_eq!(echo.only().body, bytes);
        assert_eq!(echo.only().subject(), Some("ann"));
    }

    #[tokio::test]
    async fn what_wants_no_answer_gets_none() {
        let echo = Echo::new();
        assert!(echo.is_untouched());
        let note = raw(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#).build();
        assert_eq!(send(&echo, note).await, (StatusCode::ACCEPTED, Value::Null));
        let stream = get_stream(Revision::V2025_11_25).build();
        assert_eq!(send(&echo, stream).await, (StatusCode::OK, Value::Null));
        assert_eq!(echo.received().len(), 2);
        assert!(!echo.is_untouched());
    }
}

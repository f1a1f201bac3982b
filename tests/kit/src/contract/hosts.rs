use std::{convert::Infallible, error::Error, time::Duration};

use axum::{Router, extract, response::IntoResponse, routing::Route};
use bytes::Bytes;
use http::{Extensions, HeaderValue, Request, Response, Uri, header::HOST, request};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{io::DuplexStream, task::JoinHandle};
use tower::util::ServiceExt as _;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Outcome,
    bodies::{arrived, bytes_of},
    drive::admitted,
    ensure,
};
use crate::{Echo, Exchanges, Sse};

/// Under `axum::Router::layer`.
pub async fn router_layer<L>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<extract::Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<extract::Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<extract::Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<extract::Request>>::Future: Send + 'static,
{
    let echo = Echo::new();
    let router = Router::new().fallback_service(echo.clone()).layer(layer);
    through(router, request(), &echo).await
}

/// Under `axum::Router::route_layer`.
pub async fn route_layer<L>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Route> + Clone + Send + Sync + 'static,
    L::Service: Service<extract::Request> + Clone + Send + Sync + 'static,
    <L::Service as Service<extract::Request>>::Response: IntoResponse + 'static,
    <L::Service as Service<extract::Request>>::Error: Into<Infallible> + 'static,
    <L::Service as Service<extract::Request>>::Future: Send + 'static,
{
    let echo = Echo::new();
    let request = request();
    let router = Router::new()
        .route_service(request.uri().path(), echo.clone())
        .route_layer(layer);
    through(router, request, &echo).await
}

/// Around the service itself, which `axum::Router::nest_service` then holds.
pub async fn nest_service<L, S>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Echo, Service = S>,
    S: Service<extract::Request, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    let echo = Echo::new();
    let mut request = request();
    let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let nested = format!("/nested{target}").parse().unwrap();
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(nested);
    *request.uri_mut() = Uri::from_parts(parts).unwrap();
    let router = Router::new().nest_service("/nested", layer.layer(echo.clone()));
    through(router, request, &echo).await
}

/// Under bare hyper, over HTTP/1.1: a call, a stream frame by frame, and a client that hangs up
/// in the middle of it, which takes the inner service's body along (PH-4).
pub async fn bare_hyper_1<A, B, S, T, R, Q>(
    for_call: A,
    for_stream: B,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Outcome
where
    A: Layer<Echo, Service = S>,
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    B: Layer<Sse, Service = T>,
    T: Service<Request<Incoming>, Response = Response<Q>, Error = Infallible>,
    T: Clone + Send + 'static,
    T::Future: Send + 'static,
    Q: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let echo = Echo::new();
    let sent = with_host(request());
    let bytes = bytes_of(sent.body().clone()).await?;
    let client = serve(for_call.layer(echo.clone()), sent.extensions().clone());
    let (mut client, _connection) = connect_1(client).await?;
    let answer = client.send_request(sent).await;
    bytes_of(admitted(answer)?.into_body()).await?;
    arrived(&echo, &bytes)?;

    let (sse, exchanges) = Sse::new();
    let sent = with_host(request());
    let client = serve(for_stream.layer(sse), sent.extensions().clone());
    let (mut client, connection) = connect_1(client).await?;
    stream_until_hang_up(client.send_request(sent), exchanges, connection).await
}

/// Under bare hyper, over HTTP/2, where `Host` is `:authority`.
pub async fn bare_hyper_2<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Echo, Service = S>,
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let echo = Echo::new();
    let sent = with_authority(request());
    let bytes = bytes_of(sent.body().clone()).await?;
    let client = serve(layer.layer(echo.clone()), sent.extensions().clone());
    let (mut client, connection) = conn::http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(client))
        .await
        .map_err(|error| format!("no HTTP/2 connection: {error}"))?;
    let _connection = AbortOnDrop(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let answer = client.send_request(sent).await;
    bytes_of(admitted(answer)?.into_body()).await?;
    arrived(&echo, &bytes)
}

async fn through(router: Router, request: Request<Full<Bytes>>, echo: &Echo) -> Outcome {
    let sent = bytes_of(request.body().clone()).await?;
    let response = admitted(router.oneshot(request.map(axum::body::Body::new)).await)?;
    bytes_of(response.into_body()).await?;
    arrived(echo, &sent)
}

async fn stream_until_hang_up(
    answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    mut exchanges: Exchanges<Infallible>,
    connection: AbortOnDrop,
) -> Outcome {
    let script = async {
        let sender = exchanges.next().await.stream();
        Ok::<_, String>(sender)
    };
    let (answer, sender) = tokio::join!(answer, script);
    let (mut body, sender) = (admitted(answer)?.into_body(), sender?);
    for part in ["data: one\n\n", "data: two\n\n"] {
        sender.data(part);
        let frame = body.frame().await.and_then(Result::ok);
        let data = frame.and_then(|frame| frame.into_data().ok());
        ensure(data.as_deref() == Some(part.as_bytes()), || {
            format!("the frame {part:?} came over the wire as {data:?}")
        })?;
    }
    drop((body, connection));
    while !sender.is_dropped() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Serves one connection and returns the client's end. Extensions that a real server would set
/// (the peer's address, say) are taken from the admitted request.
fn serve<S, R>(service: S, extensions: Extensions) -> DuplexStream
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    R: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let (client, server) = tokio::io::duplex(64 * 1024);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().extend(extensions.clone());
        service.clone().oneshot(request)
    });
    tokio::spawn(async move {
        // A client that hangs up is part of the contract.
        let _ = auto::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(server), service)
            .await;
    });
    client
}

async fn connect_1(
    stream: DuplexStream,
) -> Result<(conn::http1::SendRequest<Full<Bytes>>, AbortOnDrop), String> {
    let (client, connection) = conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| format!("no HTTP/1.1 connection: {error}"))?;
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok((client, AbortOnDrop(task)))
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn with_host(mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    if !request.headers().contains_key(HOST) {
        let host = request
            .uri()
            .authority()
            .map_or("localhost", |a| a.as_str());
        let host = HeaderValue::from_str(host).unwrap();
        request.headers_mut().insert(HOST, host);
    }
    request
}

fn with_authority(request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let (mut parts, body) = with_host(request).into_parts();
    let host = parts.headers.remove(HOST).unwrap();
    parts.uri = absolute(&parts, &host);
    Request::from_parts(parts, body)
}

fn absolute(parts: &request::Parts, host: &HeaderValue) -> Uri {
    let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    Uri::builder()
        .scheme(parts.uri.scheme_str().unwrap_or("http"))
        .authority(host.to_str().unwrap())
        .path_and_query(target)
        .build()
        .unwrap()
}

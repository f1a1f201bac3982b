use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{
    BodyExt, Full,
    combinators::{BoxBody, UnsyncBoxBody},
};
use tower::util::{MapResponse, ServiceExt as _};
use tower_layer::Layer;
use tower_service::Service;

use super::{Outcome, drive::admitted, ensure};
use crate::Echo;

/// A request body of any type reaches the inner service byte for byte (IV-12).
pub async fn request_body<L, S, R, B>(
    layer: L,
    request: impl Fn() -> Request<Full<Bytes>>,
    convert: impl FnOnce(Full<Bytes>) -> B,
) -> Outcome
where
    L: Layer<Echo, Service = S>,
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    let echo = Echo::new();
    let request = request();
    let sent = bytes_of(request.body().clone()).await?;
    let service = layer.layer(echo.clone());
    admitted(service.oneshot(request.map(convert)).await)?;
    arrived(&echo, &sent)
}

/// An echo whose answers have another body type.
pub type EchoAs<B> = MapResponse<Echo, fn(Response<Full<Bytes>>) -> Response<B>>;

/// A response body of any type comes out byte for byte, and tells its length as it did before.
pub async fn response_body<L, S, R, B>(
    layer: L,
    request: impl Fn() -> Request<Full<Bytes>>,
    convert: fn(Response<Full<Bytes>>) -> Response<B>,
) -> Outcome
where
    L: Layer<EchoAs<B>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes>,
{
    let bare = Echo::new().oneshot(request()).await;
    let expected = bytes_of(admitted(bare)?.into_body()).await?;
    let service = layer.layer(MapResponse::new(Echo::new(), convert));
    let body = admitted(service.oneshot(request()).await)?.into_body();
    let (told, length) = (body.size_hint().exact(), expected.len() as u64);
    ensure(told == Some(length), || {
        format!("a body of {length} bytes tells a length of {told:?}")
    })?;
    let got = bytes_of(body).await?;
    ensure(got == expected, || {
        format!("the answer {expected:?} came out as {got:?}")
    })
}

/// For [`response_body`]: rmcp's body type.
pub fn boxed(response: Response<Full<Bytes>>) -> Response<BoxBody<Bytes, Infallible>> {
    response.map(BodyExt::boxed)
}

/// For [`response_body`]: a body that is not `Sync`.
pub fn unsync(response: Response<Full<Bytes>>) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    response.map(BodyExt::boxed_unsync)
}

/// For [`response_body`]: axum's.
pub fn axum(response: Response<Full<Bytes>>) -> Response<axum::body::Body> {
    response.map(axum::body::Body::new)
}

/// For [`response_body`]: as it is.
pub fn full(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response
}

pub(super) async fn bytes_of<B: Body<Data = Bytes>>(body: B) -> Result<Bytes, String> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(_) => Err("a body broke".to_owned()),
    }
}

/// Whether exactly one request arrived, and with these bytes.
pub(super) fn arrived(echo: &Echo, sent: &Bytes) -> Outcome {
    let received = echo.received();
    ensure(received.len() == 1, || {
        format!(
            "one request reached the inner service {} times",
            received.len()
        )
    })?;
    let body = &received[0].body;
    ensure(body == sent, || {
        format!("the body {sent:?} arrived as {body:?}")
    })
}

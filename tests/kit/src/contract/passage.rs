use std::pin::{Pin, pin};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    InnerError, Outcome,
    drive::{admitted, poll_once, ready, started},
    ensure,
};
use crate::{FrameSender, Scripted};

/// What the inner service's call fails with comes out as it went in.
pub async fn errors<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
{
    let (inner, mut exchanges) = Scripted::new();
    let mut service = layer.layer(inner);
    ready(&mut service).await?;
    let mut call = pin!(service.call(request()));
    started(call.as_mut(), &mut exchanges)
        .await?
        .fail(InnerError(7));
    match call.await {
        Err(InnerError(7)) => Ok(()),
        Err(other) => Err(format!("the inner service's error 7 came out as {other:?}")),
        Ok(response) => Err(format!(
            "the inner service's error became an answer of {}",
            response.status()
        )),
    }
}

/// Status, a header of the inner service's own, its event stream headers and its extensions come
/// out as they went in (PH-4).
pub async fn head<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
{
    #[derive(Clone, PartialEq)]
    struct Mark(u8);

    let (inner, mut exchanges) = Scripted::new();
    let mut service = layer.layer(inner);
    ready(&mut service).await?;
    let mut call = pin!(service.call(request()));
    let mut exchange = started(call.as_mut(), &mut exchanges).await?;
    let head = Response::builder()
        .status(StatusCode::MULTI_STATUS)
        .header("x-inner", "1")
        .header("content-type", "text/event-stream")
        .header("x-accel-buffering", "no")
        .extension(Mark(3))
        .body(())
        .unwrap();
    let _frames = exchange.respond(head);
    let response = admitted(call.await)?;
    let status = response.status();
    ensure(status == StatusCode::MULTI_STATUS, || {
        format!("status 207 became {status}")
    })?;
    for (name, value) in [
        ("x-inner", "1"),
        ("content-type", "text/event-stream"),
        ("x-accel-buffering", "no"),
    ] {
        let got: Vec<_> = response.headers().get_all(name).iter().collect();
        ensure(got == [value], || {
            format!("`{name}: {value}` became {got:?}")
        })?;
    }
    let kept = response.extensions().get() == Some(&Mark(3));
    ensure(kept, || "the response lost its extensions".to_owned())
}

/// A stream's head comes out before its first frame, each frame before the next is made, data and
/// trailers as they went in, and then the end (PH-4).
pub async fn frames<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
    R: Body<Data = Bytes>,
{
    let (sender, body) = stream(&layer, &request).await?;
    let mut body = pin!(body);
    for part in ["data: one\n\n", "data: two\n\n", ":\n\n"] {
        nothing_yet(body.as_mut()).await?;
        sender.data(part);
        match next(body.as_mut()).await?.map(Frame::into_data) {
            Some(Ok(data)) if data == part => {}
            other => return Err(format!("the frame {part:?} came out as {other:?}")),
        }
    }
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-checksum"),
        HeaderValue::from_static("1"),
    )]);
    sender.trailers(trailers.clone());
    match next(body.as_mut()).await?.map(Frame::into_trailers) {
        Some(Ok(got)) if got == trailers => {}
        other => return Err(format!("the trailers came out as {other:?}")),
    }
    nothing_yet(body.as_mut()).await?;
    drop(sender);
    let more = next(body.as_mut()).await?;
    ensure(more.is_none(), || {
        format!("a frame after the end: {more:?}")
    })
}

/// A body that breaks comes out broken, after what came before, and not as a clean end.
pub async fn broken_body<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
    R: Body<Data = Bytes>,
{
    let (sender, body) = stream(&layer, &request).await?;
    let mut body = pin!(body);
    sender.data("data: one\n\n");
    next(body.as_mut()).await?;
    sender.fail();
    match body.frame().await {
        Some(Err(_)) => Ok(()),
        Some(Ok(frame)) => Err(format!("a broken body went on with {frame:?}")),
        None => Err("a broken body came out as a clean end".to_owned()),
    }
}

/// A caller that goes away takes the inner service's future along, at once (N-18).
pub async fn dropped_call<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
{
    let (inner, mut exchanges) = Scripted::new();
    let mut service = layer.layer(inner);
    ready(&mut service).await?;
    let exchange = {
        let mut call = pin!(service.call(request()));
        let exchange = started(call.as_mut(), &mut exchanges).await?;
        let waiting = poll_once(call.as_mut()).await.is_pending();
        ensure(waiting, || {
            "answered before the inner service did".to_owned()
        })?;
        ensure(!exchange.is_dropped(), || {
            "the inner future is dropped too early".to_owned()
        })?;
        exchange
    };
    ensure(exchange.is_dropped(), || {
        "the inner future lives on after its caller went away".to_owned()
    })
}

/// A caller that drops the response's body takes the inner service's body along, at once (N-18).
pub async fn dropped_body<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
    R: Body<Data = Bytes>,
{
    let (sender, body) = stream(&layer, &request).await?;
    {
        let mut body = pin!(body);
        sender.data("data: one\n\n");
        next(body.as_mut()).await?;
        ensure(!sender.is_dropped(), || {
            "the inner body is dropped too early".to_owned()
        })?;
    }
    ensure(sender.is_dropped(), || {
        "the inner body lives on after its reader went away".to_owned()
    })
}

async fn stream<L, S, R>(
    layer: &L,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Result<(FrameSender, R), String>
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
{
    let (inner, mut exchanges) = Scripted::new();
    let mut service = layer.layer(inner);
    ready(&mut service).await?;
    let mut call = pin!(service.call(request()));
    let sender = started(call.as_mut(), &mut exchanges).await?.stream();
    Ok((sender, admitted(call.await)?.into_body()))
}

async fn nothing_yet<R: Body<Data = Bytes>>(mut body: Pin<&mut R>) -> Outcome {
    let pending = poll_once(pin!(body.frame())).await.is_pending();
    ensure(pending, || {
        "a frame, or the end, that the inner body did not send".to_owned()
    })
}

async fn next<R: Body<Data = Bytes>>(
    mut body: Pin<&mut R>,
) -> Result<Option<Frame<Bytes>>, String> {
    let frame = body.frame().await;
    frame
        .transpose()
        .map_err(|_| "a sound body came out broken".to_owned())
}

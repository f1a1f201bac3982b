use std::{future::poll_fn, pin::pin, task::Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::limit::ConcurrencyLimit;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Gate, InnerError, Outcome, ReadyOnce,
    drive::{admitted, poll_once, ready, started},
    ensure,
};
use crate::Scripted;

/// The instance that was polled ready is the one that is called, each time anew, whatever its
/// clones do meanwhile.
pub async fn readiness<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<ReadyOnce, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError> + Clone,
{
    let (inner, tally) = ReadyOnce::new();
    let mut service = layer.layer(inner);
    for _ in 0..2 {
        ready(&mut service).await?;
        admitted(service.call(request()).await)?;
    }
    ready(&mut service).await?;
    let mut clone = service.clone();
    ready(&mut clone).await?;
    admitted(clone.call(request()).await)?;
    let late = service.call(request());
    drop((service, clone));
    admitted(late.await)?;

    let (calls, unready) = (tally.calls(), tally.unready_calls());
    ensure(unready == 0, || {
        format!("{unready} of {calls} calls went to an instance that was not polled ready")
    })?;
    ensure(calls == 4, || {
        format!("4 calls reached the inner service {calls} times")
    })
}

/// Around a `ConcurrencyLimit` of one: the permit is held while the call runs, a second caller
/// waits for it, and it comes back when the call ends or is dropped.
pub async fn permits<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<ConcurrencyLimit<Scripted<InnerError>>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError> + Clone,
{
    let (inner, mut exchanges) = Scripted::new();
    let mut first = layer.layer(ConcurrencyLimit::new(inner, 1));
    let mut second = first.clone();

    ready(&mut first).await?;
    {
        let mut call = pin!(first.call(request()));
        started(call.as_mut(), &mut exchanges).await?;
        let waiting = poll_fn(|cx| Poll::Ready(second.poll_ready(cx).is_pending())).await;
        ensure(waiting, || {
            "a second call was let in beside the only permit".to_owned()
        })?;
    }
    ready(&mut second).await?;
    {
        let mut call = pin!(second.call(request()));
        let mut exchange = started(call.as_mut(), &mut exchanges).await?;
        let _frames = exchange.respond(Response::new(()));
        admitted(call.await)?;
    }
    ready(&mut first).await
}

/// A closed inner service makes the layer's service wait and is heard when it opens; its failure
/// to become ready comes out as it went in.
pub async fn readiness_states<L, S, R>(
    layer: L,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> Outcome
where
    L: Layer<Gate, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError>,
{
    let gate = Gate::default();
    let mut service = layer.layer(gate.clone());
    {
        let mut waiting = pin!(poll_fn(|cx| service.poll_ready(cx)));
        let pending = poll_once(waiting.as_mut()).await.is_pending();
        ensure(pending, || {
            "ready although the inner service is not".to_owned()
        })?;
        let opener = async {
            tokio::task::yield_now().await;
            gate.open();
        };
        let (opened, ()) = tokio::join!(waiting, opener);
        ensure(opened.is_ok(), || {
            "an error although the inner service is ready".to_owned()
        })?;
    }
    admitted(service.call(request()).await)?;

    gate.break_down(InnerError(8));
    match poll_fn(|cx| service.poll_ready(cx)).await {
        Err(InnerError(8)) => Ok(()),
        Err(other) => Err(format!("the inner service's error 8 came out as {other:?}")),
        Ok(()) => Err("ready although the inner service failed".to_owned()),
    }
}

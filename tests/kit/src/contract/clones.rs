use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Awkward, InnerError, Outcome,
    drive::{admitted, ready, started},
    ensure,
};
use crate::Scripted;

/// Clones serve calls at the same time, each its own, in any order, and one that is dropped in
/// mid-call takes nothing from the others.
pub async fn clones<L, S, R>(layer: L, request: impl Fn() -> Request<Full<Bytes>>) -> Outcome
where
    L: Layer<Scripted<InnerError>, Service = S>,
    S: Service<Request<Full<Bytes>>, Response = Response<R>, Error = InnerError> + Clone,
{
    let (inner, mut exchanges) = Scripted::new();
    let original = layer.layer(inner);
    let mut under_way = Vec::new();
    for _ in 0..4 {
        let mut clone = original.clone();
        ready(&mut clone).await?;
        let mut call = Box::pin(clone.call(request()));
        let exchange = started(call.as_mut(), &mut exchanges).await?;
        under_way.push((call, exchange));
    }
    drop(original);
    let (abandoned, exchange) = under_way.remove(1);
    drop(abandoned);
    ensure(exchange.is_dropped(), || {
        "a dropped call lives on".to_owned()
    })?;

    let statuses = [
        StatusCode::CREATED,
        StatusCode::ACCEPTED,
        StatusCode::MULTI_STATUS,
    ];
    let mut senders = Vec::new();
    for ((_, exchange), status) in under_way.iter_mut().zip(statuses) {
        ensure(!exchange.is_dropped(), || {
            "a clone's call died with another's".to_owned()
        })?;
        let mut head = Response::new(());
        *head.status_mut() = status;
        senders.push(exchange.respond(head));
    }
    for ((call, _), status) in under_way.into_iter().zip(statuses).rev() {
        let got = admitted(call.await)?.status();
        ensure(got == status, || {
            format!("a clone got another's answer: {got} for {status}")
        })?;
    }
    Ok(())
}

/// The layer, its service and its future go where threads go, over a request and a response body
/// that are `Send` and nothing more. Whoever compiles this has passed.
pub fn threads<L, S>(_: &L)
where
    L: Layer<Scripted<InnerError>, Service = S> + Clone + Send + Sync + 'static,
    S: Service<Request<Awkward>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
}

/// Two layers as one, the first outermost.
#[derive(Debug, Clone)]
pub struct Twice<A, B>(pub A, pub B);

impl<S, A, B> Layer<S> for Twice<A, B>
where
    A: Layer<B::Service>,
    B: Layer<S>,
{
    type Service = A::Service;

    fn layer(&self, inner: S) -> A::Service {
        self.0.layer(self.1.layer(inner))
    }
}

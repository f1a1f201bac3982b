use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use tower::util::ServiceExt as _;
use tower_service::Service;

use super::Boxed;

/// Calls a bare clone, which was never polled ready.
#[derive(Debug, Clone)]
pub(super) struct BareClone<S>(pub(super) S);

impl<S, Q> Service<Q> for BareClone<S>
where
    S: Service<Q> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> S::Future {
        self.0.clone().call(request)
    }
}

/// Makes a clone ready and calls that, while it keeps what it was given.
#[derive(Debug, Clone)]
pub(super) struct WaitingClone<S>(pub(super) S);

impl<S, Q> Service<Q> for WaitingClone<S>
where
    S: Service<Q> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = tower::util::Oneshot<S, Q>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> Self::Future {
        self.0.clone().oneshot(request)
    }
}

/// Says it is ready, whatever the inner service says.
#[derive(Debug, Clone)]
pub(super) struct AlwaysReady<S>(pub(super) S);

impl<S: Service<Q>, Q> Service<Q> for AlwaysReady<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> S::Future {
        self.0.call(request)
    }
}

/// Lets all clones share one inner service and one call at a time.
#[derive(Debug)]
pub(super) struct OneAtATime<S>(pub(super) Arc<tokio::sync::Mutex<S>>);

impl<S> Clone for OneAtATime<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S, Q> Service<Q> for OneAtATime<S>
where
    S: Service<Q, Future: Send> + Send + 'static,
    Q: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Boxed<S::Response, S::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let mut inner = shared.lock().await;
            poll_fn(|cx| inner.poll_ready(cx)).await?;
            inner.call(request).await
        })
    }
}

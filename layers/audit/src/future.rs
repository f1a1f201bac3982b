use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{GuardFuture, ResponseBody};
use http::Response;
use pin_project_lite::pin_project;

use crate::exchange::Exchange;

pin_project! {
    /// The answer of [`Audit`](crate::Audit). Its record is written when it is ready or dropped.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, ResB> {
        // Dropped first: inner layers learn that they were left, and may still add findings.
        #[pin]
        inner: GuardFuture<F, ResB>,
        // `None` of a request that this layer refused itself.
        exchange: Option<Exchange>,
    }
}

impl<F, ResB> ResponseFuture<F, ResB> {
    pub(crate) fn forwarded(inner: GuardFuture<F, ResB>, exchange: Exchange) -> Self {
        Self {
            inner,
            exchange: Some(exchange),
        }
    }

    pub(crate) fn refused(inner: GuardFuture<F, ResB>) -> Self {
        Self {
            inner,
            exchange: None,
        }
    }
}

impl<F, ResB, E> Future for ResponseFuture<F, ResB>
where
    F: Future<Output = Result<Response<ResB>, E>>,
{
    type Output = Result<Response<ResponseBody<ResB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(exchange) = this.exchange else {
            return this.inner.poll(cx);
        };
        exchange.enter();
        let polled = this.inner.poll(cx);
        exchange.leave();
        let mut result = ready!(polled);
        match &mut result {
            Ok(response) => exchange.answered(response),
            Err(_) => exchange.failed(),
        }
        Poll::Ready(result)
    }
}

impl<F, ResB> fmt::Debug for ResponseFuture<F, ResB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

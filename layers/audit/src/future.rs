use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::GuardFuture;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use crate::{RecordedBody, exchange::Exchange};

pin_project! {
    /// The answer of [`Audit`](crate::Audit). Its record is written when its body has ended, or either is dropped.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, ResB> {
        // Dropped first: inner layers learn that they were left, and may still add findings.
        #[pin]
        inner: GuardFuture<F, ResB>,
        // `None` of a request that this layer refused itself, and once there is an answer.
        exchange: Option<Box<Exchange>>,
    }
}

impl<F, ResB> ResponseFuture<F, ResB> {
    pub(crate) fn forwarded(inner: GuardFuture<F, ResB>, exchange: Box<Exchange>) -> Self {
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
    ResB: Body<Data = Bytes>,
{
    type Output = Result<Response<RecordedBody<ResB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(exchange) = this.exchange else {
            let refused = ready!(this.inner.poll(cx))?;
            return Poll::Ready(Ok(refused.map(|body| RecordedBody::new(body, None))));
        };
        exchange.enter();
        let polled = this.inner.poll(cx);
        exchange.leave();
        let mut response = match ready!(polled) {
            Ok(response) => response,
            Err(error) => {
                exchange.failed();
                return Poll::Ready(Err(error));
            }
        };
        let is_watched = exchange.answered(&mut response);
        let exchange = this.exchange.take().filter(|_| is_watched);
        Poll::Ready(Ok(response.map(|body| RecordedBody::new(body, exchange))))
    }
}

impl<F, ResB> fmt::Debug for ResponseFuture<F, ResB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

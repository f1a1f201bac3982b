use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::ResponseBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::exchange::Exchange;

pin_project! {
    /// The body of an answer of [`Audit`](crate::Audit), frame by frame as the service makes it. The request's
    /// record is written when it ends or is dropped.
    pub struct RecordedBody<B> {
        // Dropped first, as the future before it.
        #[pin]
        inner: ResponseBody<B>,
        // `None` once the record is written.
        exchange: Option<Box<Exchange>>,
    }
}

impl<B> RecordedBody<B> {
    pub(crate) fn new(inner: ResponseBody<B>, exchange: Option<Box<Exchange>>) -> Self {
        Self { inner, exchange }
    }
}

impl<B: Body<Data = Bytes>> Body for RecordedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(exchange) = this.exchange else {
            return this.inner.poll_frame(cx);
        };
        exchange.enter();
        let polled = this.inner.as_mut().poll_frame(cx);
        exchange.leave();
        let frame = ready!(polled);
        let is_over = match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    exchange.saw(data);
                }
                let ends = this.inner.is_end_stream();
                if ends {
                    exchange.ended();
                }
                ends
            }
            Some(Err(_)) => {
                exchange.failed();
                true
            }
            None => {
                exchange.ended();
                true
            }
        };
        if is_over {
            *this.exchange = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Default for RecordedBody<B> {
    /// An empty body.
    fn default() -> Self {
        Self::new(ResponseBody::default(), None)
    }
}

impl<B> fmt::Debug for RecordedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedBody").finish_non_exhaustive()
    }
}

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::events::EventIds;

pin_project! {
    /// An answer's body: the inner one frame by frame, with the event ids of a session's stream wrapped.
    #[derive(Debug)]
    pub struct SessionBody<B> {
        #[pin]
        inner: B,
        // In a box: only the streams of sessions have one.
        events: Option<Box<EventIds>>,
    }
}

impl<B> SessionBody<B> {
    pub(crate) fn new(inner: B, events: Option<EventIds>) -> Self {
        Self {
            inner,
            events: events.map(Box::new),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for SessionBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(events) = this.events else {
            return this.inner.poll_frame(cx);
        };
        loop {
            let Some(frame) = ready!(this.inner.as_mut().poll_frame(cx)?) else {
                // A line that does not end takes no effect, so what is held back of one may go.
                return Poll::Ready(None);
            };
            let frame = match frame.into_data() {
                Ok(data) if data.is_empty() => Frame::data(data),
                Ok(data) => match events.pass(data) {
                    passed if passed.is_empty() => continue,
                    passed => Frame::data(passed),
                },
                Err(trailers) => trailers,
            };
            return Poll::Ready(Some(Ok(frame)));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.events {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}

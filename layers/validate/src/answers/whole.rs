use std::{
    borrow::Cow,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Gathered, ResponseBody, refuse};
use bytes::Bytes;
use http::{HeaderMap, Response, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{
    Lens,
    look::{BROKE_OFF, TOO_LARGE},
};

pin_project! {
    /// An answer in JSON, whose head is held back until all of it is there and judged.
    pub(crate) struct Whole<B> {
        head: Option<Parts>,
        #[pin]
        body: B,
        gathered: Gathered,
        trailers: Option<HeaderMap>,
        lens: Box<Lens>,
    }
}

/// What becomes of an answer.
pub(crate) enum Judged<B> {
    Passes(Parts, Bytes, Option<HeaderMap>),
    Refused(Response<ResponseBody<B>>),
}

impl<B: Body<Data = Bytes>> Whole<B> {
    pub(crate) fn new(response: Response<B>, lens: Box<Lens>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head: Some(head),
            body,
            gathered: Gathered::new(),
            trailers: None,
            lens,
        }
    }

    pub(crate) fn poll_judged(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Judged<B>> {
        let gathered = ready!(self.as_mut().poll_gathered(cx));
        let this = self.project();
        // Polled after it completed.
        let Some(head) = this.head.take() else {
            return Poll::Pending;
        };
        let judged = gathered.map_err(Cow::from).and_then(|bytes| {
            this.lens.judge(&bytes)?;
            Ok(bytes)
        });
        Poll::Ready(match judged {
            Ok(bytes) => Judged::Passes(head, bytes, this.trailers.take()),
            Err(why) => Judged::Refused(refused(this.lens, &why)),
        })
    }

    fn poll_gathered(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, &'static str>> {
        let mut this = self.project();
        loop {
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(BROKE_OFF)),
                None => return Poll::Ready(Ok(this.gathered.take())),
            };
            match frame.into_data() {
                Ok(data) if this.gathered.len() + data.len() <= this.lens.most() => {
                    this.gathered.push(data);
                }
                Ok(_) => return Poll::Ready(Err(TOO_LARGE)),
                Err(frame) => *this.trailers = frame.into_trailers().ok(),
            }
        }
    }
}

/// Refuses an answer.
pub(crate) fn refused<B>(lens: &Lens, why: &str) -> Response<ResponseBody<B>> {
    let (denial, _) = lens.denial(why);
    refuse!("validate", lens.context(), denial)
}

impl<B> fmt::Debug for Whole<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}

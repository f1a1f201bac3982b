use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, DenialKind, Gathered, Media, ResponseBody, refuse};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{events::Events, json::Broken, lens::Lens, whole::Whole};

pin_project! {
    /// The body of an answer: the inner service's own, or as much of a list as the principal is shown.
    #[derive(Debug)]
    pub struct ListBody<B> {
        #[pin]
        held: Held<B>,
    }
}

pin_project! {
    #[project = HeldProj]
    enum Held<B> {
        Whole { #[pin] body: ResponseBody<B> },
        // In a box: few answers are lists.
        Stream { #[pin] body: Option<B>, events: Box<Events> },
        // It was in this box while it was looked at.
        Passes { whole: Pin<Box<Whole<B>>> },
    }
}

impl<B> ListBody<B> {
    pub(super) fn untouched(body: B) -> Self {
        Self::refusal(ResponseBody::inner(body))
    }

    pub(super) fn ours(bytes: Bytes) -> Self {
        Self::refusal(ResponseBody::refusal(bytes))
    }

    pub(super) fn refusal(body: ResponseBody<B>) -> Self {
        Self {
            held: Held::Whole { body },
        }
    }

    pub(super) fn passes(whole: Pin<Box<Whole<B>>>) -> Self {
        Self {
            held: Held::Passes { whole },
        }
    }

    pub(super) fn stream(body: B, lens: Lens) -> Self {
        Self {
            held: Held::Stream {
                body: Some(body),
                events: Box::new(Events::new(lens)),
            },
        }
    }
}

impl<B: Body<Data = Bytes>> Body for ListBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (mut body, events) = match self.project().held.project() {
            HeldProj::Whole { body } => return body.poll_frame(cx),
            HeldProj::Passes { whole } => return whole.as_mut().poll_rest(cx),
            HeldProj::Stream { body, events } => (body, events),
        };
        loop {
            let Some(inner) = body.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let Some(frame) = ready!(inner.poll_frame(cx)) else {
                // An event that did not end is none, and nobody is to take it for one.
                body.set(None);
                return Poll::Ready(None);
            };
            let data = match frame.map(Frame::into_data) {
                Ok(Ok(data)) => data,
                Ok(Err(trailers)) => return Poll::Ready(Some(Ok(without_digests(trailers)))),
                Err(error) => {
                    body.set(None);
                    return Poll::Ready(Some(Err(error)));
                }
            };
            let mut out = Gathered::new();
            if let Err(broken) = events.take(data, &mut out) {
                // The server hears at once that nobody listens any more.
                body.set(None);
                end(events, broken, &mut out);
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.take()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.held {
            Held::Whole { body } => body.is_end_stream(),
            Held::Stream { body, .. } => body.as_ref().is_none_or(Body::is_end_stream),
            Held::Passes { whole } => whole.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.held {
            Held::Whole { body } => body.size_hint(),
            Held::Stream { .. } | Held::Passes { .. } => SizeHint::default(),
        }
    }
}

/// What is said behind a body says nothing of the one that was.
fn without_digests(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            Media::forget_body(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(other) => other,
    }
}

/// The last event of a stream that brought what cannot be filtered: the request's error. A stream
/// that answers no request just ends, and so does one inside of an event, which is none then.
fn end(events: &Events, broken: Broken, out: &mut Gathered) {
    let lens = events.lens();
    let reason = format!("an event with a list {}", broken.0);
    let denial = Denial::new(DenialKind::Internal, reason);
    let refusal: Response<ResponseBody<String>> = refuse!("rbac", lens.context(), denial);
    if !lens.is_answer() || events.is_passing() {
        return;
    }
    let mut refusal = refusal.into_body();
    let mut nobody = Context::from_waker(std::task::Waker::noop());
    // It is text of ours, which is there.
    if let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut refusal).poll_frame(&mut nobody)
        && let Ok(text) = frame.into_data()
    {
        out.push("data: ".into());
        out.push(text);
        out.push("\n\n".into());
    }
}

impl<B> fmt::Debug for Held<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole { .. } => "Whole",
            Self::Stream { .. } => "Stream",
            Self::Passes { .. } => "Passes",
        })
    }
}

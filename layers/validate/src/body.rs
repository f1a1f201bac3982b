use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{Gathered, Media, ResponseBody};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::{
    answers::{Look, Stream},
    learn::{Known, News, Watch},
};

pin_project! {
    /// The body of an answer: the inner service's own, frame by frame or event by event, or a refusal.
    #[derive(Debug)]
    pub struct CheckBody<B> {
        #[pin]
        body: ResponseBody<B>,
        // In a box: few answers are looked at.
        eye: Option<Box<Eye>>,
        news: Option<News>,
    }
}

/// What looks at a body.
#[derive(Debug)]
enum Eye {
    List(Watch),
    Look(Look),
    Stream(Stream),
    /// Nothing more, but these follow.
    Trailers(HeaderMap),
}

impl Eye {
    fn see(&mut self, data: &Bytes) {
        match self {
            Self::List(watch) => watch.see(data),
            Self::Look(look) => look.see(data),
            Self::Stream(_) | Self::Trailers(_) => {}
        }
    }

    fn end(&mut self) {
        match self {
            Self::List(watch) => watch.end(),
            Self::Look(look) => look.end(),
            Self::Stream(_) | Self::Trailers(_) => {}
        }
    }
}

impl<B> CheckBody<B> {
    fn new(body: ResponseBody<B>, eye: Option<Eye>) -> Self {
        Self {
            body,
            eye: eye.map(Box::new),
            news: None,
        }
    }

    pub(crate) fn untouched(body: B) -> Self {
        Self::new(ResponseBody::inner(body), None)
    }

    /// The same, listened to.
    pub(crate) fn heard(response: Response<Self>, known: Option<&Arc<Known>>) -> Response<Self> {
        let (head, mut body) = response.into_parts();
        let known = known.filter(|_| head.status.is_success());
        body.news = known.and_then(|known| News::of(known, &head.headers));
        Response::from_parts(head, body)
    }

    pub(crate) fn refusal(body: ResponseBody<B>) -> Self {
        Self::new(body, None)
    }

    pub(crate) fn watched(response: Response<B>, known: Option<Arc<Known>>) -> Response<Self> {
        let known = known.filter(|_| response.status().is_success());
        let eye = known.map(|known| Eye::List(Watch::new(known, response.headers())));
        response.map(|body| Self::new(ResponseBody::inner(body), eye))
    }

    pub(crate) fn looked_at(body: B, look: Look) -> Self {
        Self::new(ResponseBody::inner(body), Some(Eye::Look(look)))
    }

    pub(crate) fn stream(body: B, stream: Stream) -> Self {
        Self::new(ResponseBody::inner(body), Some(Eye::Stream(stream)))
    }

    pub(crate) fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::new(ResponseBody::refusal(bytes), trailers.map(Eye::Trailers))
    }
}

impl<B: Body<Data = Bytes>> CheckBody<B> {
    /// The next frame of a stream whose events are judged.
    fn poll_events(
        mut body: Pin<&mut ResponseBody<B>>,
        stream: &mut Stream,
        news: &mut Option<News>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            let data = match ready!(body.as_mut().poll_frame(cx)) {
                // An event that did not end is none, and nobody is to take it for one.
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => {
                        let mut trailers = frame.into_trailers().unwrap_or_default();
                        // They say nothing of the body that was.
                        Media::forget_body(&mut trailers);
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                },
            };
            if let Some(news) = news {
                news.hear(&data);
            }
            let mut out = Gathered::new();
            if !stream.take(data, &mut out) {
                // The server hears at once that nobody listens any more.
                body.set(ResponseBody::default());
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.take()))));
            }
        }
    }
}

impl<B: Body<Data = Bytes>> Body for CheckBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        if let Some(eye) = this.eye
            && let Eye::Stream(stream) = &mut **eye
        {
            return Self::poll_events(this.body, stream, this.news, cx);
        }
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if let Some(news) = this.news
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            news.hear(data);
        }
        let Some(eye) = this.eye else {
            return Poll::Ready(frame);
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    eye.see(data);
                }
                // Whoever reads may stop where it says that it ends.
                if this.body.is_end_stream() {
                    eye.end();
                }
            }
            Some(Err(_)) => eye.end(),
            None => {
                eye.end();
                if let Eye::Trailers(trailers) = &mut **eye {
                    let trailers = std::mem::take(trailers);
                    *this.eye = None;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let has_trailers = matches!(self.eye.as_deref(), Some(Eye::Trailers(_)));
        self.body.is_end_stream() && !has_trailers
    }

    fn size_hint(&self) -> SizeHint {
        match self.eye.as_deref() {
            Some(Eye::Stream(_)) => SizeHint::default(),
            _ => self.body.size_hint(),
        }
    }
}

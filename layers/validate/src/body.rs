use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::ResponseBody;
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::learn::{Known, News, Watch};

pin_project! {
    /// The body of an answer: the inner service's own, frame by frame, or a refusal.
    #[derive(Debug)]
    pub struct CheckBody<B> {
        #[pin]
        body: ResponseBody<B>,
        // In a box: few answers are lists.
        watch: Option<Box<Watch>>,
        news: Option<News>,
    }
}

impl<B> CheckBody<B> {
    pub(crate) fn of(response: Response<B>, watch: Option<Arc<Known>>) -> Response<Self> {
        let watch = watch.filter(|_| response.status().is_success());
        let watch = watch.map(|known| Box::new(Watch::new(known, response.headers())));
        response.map(|body| Self {
            body: ResponseBody::inner(body),
            watch,
            news: None,
        })
    }

    /// The same, listened to.
    pub(crate) fn heard(response: Response<Self>, known: Option<&Arc<Known>>) -> Response<Self> {
        let (head, mut body) = response.into_parts();
        let known = known.filter(|_| head.status.is_success());
        body.news = known.and_then(|known| News::of(known, &head.headers));
        Response::from_parts(head, body)
    }

    pub(crate) fn refusal(body: ResponseBody<B>) -> Self {
        Self {
            body,
            watch: None,
            news: None,
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
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if let Some(news) = this.news
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            news.hear(data);
        }
        if let Some(watch) = this.watch {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        watch.see(data);
                    }
                    // Whoever reads may stop where it says that it ends.
                    if this.body.is_end_stream() {
                        watch.end();
                    }
                }
                Some(Err(_)) | None => watch.end(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, DenialKind, Gathered, Media, SecurityContext, refuse, sse::Seam};
use bytes::Bytes;
use http::{HeaderMap, Response, response::Parts};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::{
    ListBody,
    events::TOO_LARGE,
    heads,
    json::Broken,
    lens::Lens,
    names::{LONGEST, may_name_list},
};

pin_project! {
    /// An answer in one text, whose head is held back until the text is there and filtered: what
    /// cannot be becomes a refusal.
    ///
    /// One to a request that is for no list passes unread if it names none. If it is too large to be
    /// held, it passes as long as it names none.
    pub(super) struct Whole<B> {
        head: Option<Parts>,
        is_json: bool,
        #[pin]
        body: B,
        is_over: bool,
        gathered: Gathered,
        trailers: Option<HeaderMap>,
        // In what is too large to be held a name may be cut in two.
        seam: Seam,
        lens: Lens,
    }
}

/// What becomes of an answer.
pub(super) enum Judged<B> {
    /// This one.
    Answer(Response<ListBody<B>>),
    /// This head, and what [`Whole::poll_rest`] gives.
    Passes(Parts),
}

impl<B> Whole<B> {
    pub(super) fn new(response: Response<B>, lens: Lens, media: Media) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head: Some(head),
            is_json: media == Media::Json,
            body,
            is_over: false,
            gathered: Gathered::new(),
            trailers: None,
            seam: Seam::new(LONGEST),
            lens,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.gathered.is_empty() && self.trailers.is_none()
    }
}

impl<B: Body<Data = Bytes>> Whole<B> {
    pub(super) fn poll_judged(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Judged<B>> {
        let gathered = ready!(self.as_mut().poll_gathered(cx));
        let this = self.project();
        let Some(head) = this.head.take() else {
            return Poll::Pending;
        };
        let is_of_other = this.lens.is_of_other();
        Poll::Ready(match gathered {
            Err(broken) => Judged::Answer(refused(this.lens.context(), broken)),
            Ok(()) if is_of_other && !*this.is_over => Judged::Passes(head),
            Ok(()) => {
                let bytes = this.gathered.take();
                if !is_of_other || may_name_list(&bytes) {
                    let answer = seen(this.lens, *this.is_json, head, bytes);
                    return Poll::Ready(Judged::Answer(answer));
                }
                if this.trailers.is_none() {
                    let body = ListBody::ours(bytes);
                    return Poll::Ready(Judged::Answer(Response::from_parts(head, body)));
                }
                this.gathered.push(bytes);
                Judged::Passes(head)
            }
        })
    }

    /// Reads on until all of it is there, or as much as is held at most.
    fn poll_gathered(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut this = self.project();
        let most = this.lens.rules().most_bytes;
        loop {
            let frame = match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(Broken("broke off"))),
                None => {
                    *this.is_over = true;
                    return Poll::Ready(Ok(()));
                }
            };
            match frame.into_data() {
                Ok(data) if this.gathered.len() + data.len() <= most => this.gathered.push(data),
                Ok(_) if !this.lens.is_of_other() => return Poll::Ready(Err(TOO_LARGE)),
                Ok(data) => {
                    this.gathered.push(data);
                    let bytes = this.gathered.take();
                    let names = this.seam.any(&bytes, may_name_list);
                    this.gathered.push(bytes);
                    return Poll::Ready(if names { Err(TOO_LARGE) } else { Ok(()) });
                }
                Err(frame) => *this.trailers = frame.into_trailers().ok(),
            }
        }
    }

    /// What passes, frame by frame.
    pub(super) fn poll_rest(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        if !this.gathered.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(this.gathered.take()))));
        }
        if *this.is_over {
            let trailers = this.trailers.take().map(Frame::trailers);
            return Poll::Ready(trailers.map(Ok));
        }
        let frame = ready!(this.body.poll_frame(cx));
        let data = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        if data.is_some_and(|data| this.seam.any(data, may_name_list)) {
            // It breaks off before the name, so that it is no JSON.
            let _: Response<ListBody<B>> = refused(this.lens.context(), TOO_LARGE);
            *this.is_over = true;
            *this.trailers = None;
            return Poll::Ready(None);
        }
        *this.is_over = !matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }
}

/// A whole answer as the principal sees it.
fn seen<B>(lens: &Lens, is_json: bool, mut head: Parts, bytes: Bytes) -> Response<ListBody<B>> {
    let sight = match is_json {
        true => lens.see(&bytes),
        false => Err(NO_MEDIA),
    };
    let sight = match sight {
        Ok(sight) => sight,
        Err(broken) => return refused(lens.context(), broken),
    };
    if sight.has_list || !lens.is_of_other() {
        heads::keep_private(&mut head.headers);
    }
    let bytes = match sight.instead {
        None => bytes,
        Some(instead) => {
            Media::forget_body(&mut head.headers);
            instead.into()
        }
    };
    Response::from_parts(head, ListBody::ours(bytes))
}

pub(super) const NO_MEDIA: Broken = Broken("is neither JSON nor an event stream");

/// Refuses an answer that cannot be filtered.
pub(super) fn refused<B>(context: &SecurityContext, broken: Broken) -> Response<ListBody<B>> {
    let reason = format!("the server's list {}", broken.0);
    let denial = Denial::new(DenialKind::Internal, reason);
    refuse!("rbac", context, denial).map(ListBody::refusal)
}

impl<B> fmt::Debug for Whole<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").finish_non_exhaustive()
    }
}

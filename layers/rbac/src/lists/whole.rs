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

/// An answer in one text, whose head is held back until the text is there and filtered: what
/// cannot be becomes a refusal.
///
/// One to a request that is for no list passes unread if it names none. If it is too large to be
/// held, it passes as long as it names none.
pub(super) struct Held {
    head: Option<Parts>,
    is_json: bool,
    is_over: bool,
    gathered: Gathered,
    trailers: Option<HeaderMap>,
    // In what is too large to be held a name may be cut in two.
    seam: Seam,
    lens: Lens,
}

pin_project! {
    /// What is held of an answer, and the body that the rest of it comes from.
    pub(super) struct Whole<B> {
        #[pin]
        body: Option<B>,
        held: Held,
    }
}

/// What becomes of an answer.
pub(super) enum Judged<B> {
    /// This one.
    Answer(Response<ListBody<B>>),
    /// This head, and what [`Whole::poll_rest`] gives.
    Passes(Parts),
}

impl Held {
    pub(super) fn new(head: Parts, lens: Lens, media: Media) -> Self {
        Self {
            head: Some(head),
            is_json: media == Media::Json,
            is_over: false,
            gathered: Gathered::new(),
            trailers: None,
            seam: Seam::new(LONGEST),
            lens,
        }
    }

    /// The answer that is to go out, of one that was [judged where its body lies](fits).
    pub(super) fn into_answer<B>(self, judged: Judged<B>) -> Response<ListBody<B>> {
        match judged {
            Judged::Answer(answer) => answer,
            Judged::Passes(_) if !self.is_over => refused(self.lens.context(), LONGER),
            Judged::Passes(head) => {
                let (body, held) = (None, self);
                let rest = ListBody::passes(Box::pin(Whole { body, held }));
                Response::from_parts(head, rest)
            }
        }
    }

    pub(super) fn poll_judged<B: Body<Data = Bytes>>(
        &mut self,
        body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Judged<B>> {
        let gathered = ready!(self.poll_gathered(body, cx));
        let Some(head) = self.head.take() else {
            return Poll::Pending;
        };
        let is_of_other = self.lens.is_of_other();
        Poll::Ready(match gathered {
            Err(broken) => Judged::Answer(refused(self.lens.context(), broken)),
            Ok(()) if is_of_other && !self.is_over => Judged::Passes(head),
            Ok(()) => {
                let bytes = self.gathered.take();
                if !is_of_other || may_name_list(&bytes) {
                    let answer = seen(&self.lens, self.is_json, head, bytes);
                    return Poll::Ready(Judged::Answer(answer));
                }
                if self.trailers.is_none() {
                    let body = ListBody::ours(bytes);
                    return Poll::Ready(Judged::Answer(Response::from_parts(head, body)));
                }
                self.gathered.push(bytes);
                Judged::Passes(head)
            }
        })
    }

    /// Reads on until all of it is there, or as much as is held at most.
    fn poll_gathered<B: Body<Data = Bytes>>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        let most = self.lens.rules().most_bytes;
        loop {
            let frame = match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(Broken("broke off"))),
                None => {
                    self.is_over = true;
                    return Poll::Ready(Ok(()));
                }
            };
            match frame.into_data() {
                Ok(data) if self.gathered.len() + data.len() <= most => self.gathered.push(data),
                Ok(_) if !self.lens.is_of_other() => return Poll::Ready(Err(TOO_LARGE)),
                Ok(data) => {
                    self.gathered.push(data);
                    let bytes = self.gathered.take();
                    let names = self.seam.any(&bytes, may_name_list);
                    self.gathered.push(bytes);
                    return Poll::Ready(if names { Err(TOO_LARGE) } else { Ok(()) });
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
    }
}

/// Whether an answer can be judged where its body lies: none of the body will pass on from there.
pub(super) fn fits<B: Body>(body: &B, lens: &Lens) -> bool {
    let upper = || body.size_hint().upper();
    let most = lens.rules().most_bytes as u64;
    !lens.is_of_other() || upper().is_some_and(|upper| upper <= most)
}

impl<B> Whole<B> {
    pub(super) fn new(body: B, held: Held) -> Self {
        let body = Some(body);
        Self { body, held }
    }

    pub(super) fn is_over(&self) -> bool {
        let held = &self.held;
        held.is_over && held.gathered.is_empty() && held.trailers.is_none()
    }
}

impl<B: Body<Data = Bytes>> Whole<B> {
    pub(super) fn poll_judged(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Judged<B>> {
        let this = self.project();
        match this.body.as_pin_mut() {
            Some(body) => this.held.poll_judged(body, cx),
            // It was judged.
            None => Poll::Pending,
        }
    }

    /// What passes, frame by frame.
    pub(super) fn poll_rest(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let held = this.held;
        if !held.gathered.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(held.gathered.take()))));
        }
        let body = match this.body.as_pin_mut() {
            Some(body) if !held.is_over => body,
            _ => {
                let trailers = held.trailers.take().map(Frame::trailers);
                return Poll::Ready(trailers.map(Ok));
            }
        };
        let frame = ready!(body.poll_frame(cx));
        let data = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        if data.is_some_and(|data| held.seam.any(data, may_name_list)) {
            // It breaks off before the name, so that it is no JSON.
            let _: Response<ListBody<B>> = refused(held.lens.context(), TOO_LARGE);
            held.is_over = true;
            held.trailers = None;
            return Poll::Ready(None);
        }
        held.is_over = !matches!(frame, Some(Ok(_)));
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

const LONGER: Broken = Broken("is longer than was said");

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

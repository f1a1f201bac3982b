use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Media, SecurityContext};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    ListBody, ListRules, heads,
    json::Broken,
    lens::Lens,
    whole::{Held, Judged, NO_MEDIA, Whole, fits, refused},
};

/// What stands between [`Rbac`](crate::Rbac) and the service that it guards: shows each principal
/// its part of the lists.
#[derive(Debug, Clone)]
pub struct ListFilter<S> {
    pub(crate) inner: S,
    /// `None` shows everybody everything.
    rules: Option<ListRules>,
}

impl<S> ListFilter<S> {
    pub(crate) fn new(inner: S, rules: Option<ListRules>) -> Self {
        Self { inner, rules }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for ListFilter<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<ListBody<ResB>>;
    type Error = S::Error;
    type Future = ListFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        // The guard outside made the context, and read the call.
        let context = SecurityContext::find(request.extensions());
        let rules = self.rules.zip(context);
        let lens = rules.and_then(|(rules, context)| Lens::of(rules, context));
        ListFuture {
            state: State::Wait {
                inner: self.inner.call(request),
                lens,
            },
        }
    }
}

pin_project! {
    /// The future of [`ListFilter`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ListFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Wait {
            #[pin]
            inner: F,
            lens: Option<Lens>,
        },
        // Read where it lies; most such answers are there at once, and take no box.
        InPlace {
            #[pin]
            body: B,
            held: Option<Box<Held>>,
        },
        // It may go from here into the answer. In a box: the futures of all answers would be as large.
        Read { whole: Option<Pin<Box<Whole<B>>>> },
    }
}

impl<F, B, E> Future for ListFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<ListBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Wait { inner, lens } => {
                    let mut response = ready!(inner.poll(cx))?;
                    let Some(lens) = lens.take() else {
                        return Poll::Ready(Ok(response.map(ListBody::untouched)));
                    };
                    match look(&mut response, &lens) {
                        Look::Untouched => {
                            return Poll::Ready(Ok(response.map(ListBody::untouched)));
                        }
                        Look::Refused(broken) => {
                            return Poll::Ready(Ok(refused(lens.context(), broken)));
                        }
                        Look::Stream => {
                            let stream = |body| ListBody::stream(body, lens);
                            return Poll::Ready(Ok(response.map(stream)));
                        }
                        Look::Whole(media) => {
                            let (head, body) = response.into_parts();
                            let fits = fits(&body, &lens);
                            let held = Held::new(head, lens, media);
                            if fits {
                                return poll_first(state, body, held, cx);
                            }
                            let whole = Box::pin(Whole::new(body, held));
                            State::Read { whole: Some(whole) }
                        }
                    }
                }
                StateProj::InPlace { body, held } => {
                    let judged = match held {
                        Some(held) => ready!(held.poll_judged(body, cx)),
                        // Polled after it completed, which the contract of `Future` forbids.
                        None => return Poll::Pending,
                    };
                    let held = held.take();
                    state.set(State::Read { whole: None });
                    return match held {
                        Some(held) => Poll::Ready(Ok(held.into_answer(judged))),
                        None => Poll::Pending,
                    };
                }
                StateProj::Read { whole } => {
                    let judged = match whole {
                        Some(whole) => ready!(whole.as_mut().poll_judged(cx)),
                        None => return Poll::Pending,
                    };
                    return match (judged, whole.take()) {
                        (Judged::Passes(head), Some(whole)) => {
                            Poll::Ready(Ok(Response::from_parts(head, ListBody::passes(whole))))
                        }
                        (Judged::Answer(response), _) => Poll::Ready(Ok(response)),
                        (Judged::Passes(_), None) => Poll::Pending,
                    };
                }
            };
            state.set(next);
        }
    }
}

/// Looks at what is there of a body now. Only what waits for the rest of it is put in a box.
fn poll_first<F, B: Body<Data = Bytes>, E>(
    mut state: Pin<&mut State<F, B>>,
    body: B,
    mut held: Held,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<ListBody<B>>, E>> {
    state.set(State::InPlace { body, held: None });
    let StateProj::InPlace { body, held: kept } = state.as_mut().project() else {
        return Poll::Pending;
    };
    let Poll::Ready(judged) = held.poll_judged(body, cx) else {
        *kept = Some(Box::new(held));
        return Poll::Pending;
    };
    state.set(State::Read { whole: None });
    Poll::Ready(Ok(held.into_answer(judged)))
}

/// What becomes of an answer's body.
enum Look {
    Untouched,
    Stream,
    Whole(Media),
    Refused(Broken),
}

/// What an answer's head tells about that.
fn look<B: Body<Data = Bytes>>(response: &mut Response<B>, lens: &Lens) -> Look {
    let media = Media::of(response.headers());
    let is_looked_at = match media {
        _ if !response.status().is_success() || response.body().is_end_stream() => false,
        Media::EventStream | Media::Unclear => true,
        Media::Json | Media::UnclearJson => lens.is_answer(),
        // No client reads it as an answer.
        Media::Other => lens.list().is_some(),
    };
    if !is_looked_at {
        return Look::Untouched;
    }
    match media {
        _ if !Media::is_plain(response.headers()) => {
            Look::Refused(Broken("has a content encoding"))
        }
        Media::Unclear | Media::Other => Look::Refused(NO_MEDIA),
        Media::UnclearJson if !lens.is_of_other() => Look::Refused(NO_MEDIA),
        Media::Json | Media::UnclearJson => Look::Whole(media),
        Media::EventStream => {
            Media::forget_body(response.headers_mut());
            if !lens.is_of_other() {
                heads::keep_private(response.headers_mut());
            }
            Look::Stream
        }
    }
}

impl<F, B> fmt::Debug for ListFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListFuture").finish_non_exhaustive()
    }
}

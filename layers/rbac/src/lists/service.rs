use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::SecurityContext;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    ListBody, ListRules,
    json::Broken,
    lens::Lens,
    media::{self, Media},
    whole::{Whole, refused},
};

/// What stands between [`Rbac`](crate::Rbac) and the service that it guards: shows each principal
/// its part of the lists.
#[derive(Debug, Clone)]
pub struct ListFilter<S> {
    pub(crate) inner: S,
    /// `None` shows everybody everything.
    rules: Option<Arc<ListRules>>,
}

impl<S> ListFilter<S> {
    pub(crate) fn new(inner: S, rules: Option<Arc<ListRules>>) -> Self {
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
        let rules = self.rules.as_ref().zip(context);
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
        // In a box: few answers are lists, and the futures of all others would be as large.
        Read { whole: Pin<Box<Whole<B>>> },
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
            let whole = match state.as_mut().project() {
                StateProj::Wait { inner, lens } => {
                    let response = ready!(inner.poll(cx))?;
                    match lens.take() {
                        None => return Poll::Ready(Ok(response.map(ListBody::untouched))),
                        Some(lens) => match begin(response, lens) {
                            Begun::Answer(response) => return Poll::Ready(Ok(response)),
                            Begun::Whole(whole) => whole,
                        },
                    }
                }
                StateProj::Read { whole } => return whole.as_mut().poll_response(cx).map(Ok),
            };
            state.set(State::Read { whole });
        }
    }
}

enum Begun<B> {
    Answer(Response<ListBody<B>>),
    Whole(Pin<Box<Whole<B>>>),
}

/// What an answer's head tells about what is to become of its body.
fn begin<B: Body<Data = Bytes>>(mut response: Response<B>, lens: Lens) -> Begun<B> {
    let media = Media::of(response.headers());
    let is_list = match media {
        _ if !response.status().is_success() || response.body().is_end_stream() => false,
        Media::Events | Media::Unclear => true,
        Media::Json | Media::Other => lens.is_of_list(),
    };
    if !is_list {
        return Begun::Answer(response.map(ListBody::untouched));
    }
    let broken = match media {
        _ if !media::is_plain(response.headers()) => "has a content encoding",
        Media::Other | Media::Unclear => "is neither JSON nor an event stream",
        Media::Json => return Begun::Whole(Box::pin(Whole::new(response, lens))),
        Media::Events => {
            media::forget_body(response.headers_mut());
            if !lens.is_of_other() {
                media::keep_private(response.headers_mut());
            }
            return Begun::Answer(response.map(|body| ListBody::stream(body, lens)));
        }
    };
    Begun::Answer(refused(lens.context(), Broken(broken)))
}

impl<F, B> fmt::Debug for ListFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListFuture").finish_non_exhaustive()
    }
}

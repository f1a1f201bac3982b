use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{Call, Denial, DenialKind, RequestBody, SecurityContext, refuse};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    CheckBody,
    answers::{Begun, Judged, Lens, Output, Whole, begin},
    learn::{Known, Learn},
    rules::{Rules, Verdict},
};

/// What stands between [`Validate`](crate::Validate) and the service that it guards: judges the calls, and
/// looks at lists that pass.
#[derive(Debug, Clone)]
pub struct Check<S> {
    pub(crate) inner: S,
    rules: Arc<Rules>,
    known: Option<Arc<Known>>,
}

impl<S> Check<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>, known: Option<Arc<Known>>) -> Self {
        Self {
            inner,
            rules,
            known,
        }
    }
}

impl<S, B, ResB> Service<Request<RequestBody<B>>> for Check<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResB>> + Clone,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<CheckBody<ResB>>;
    type Error = S::Error;
    type Future = CheckFuture<S, B, S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        // The guard outside made the context, and read the call.
        let Some((context, call)) = called(&request) else {
            let denial = Denial::new(DenialKind::Internal, "the call was not read");
            return CheckFuture::refused(&SecurityContext::default(), denial);
        };
        let headers = request.headers();
        let known = self.known.as_deref();
        match self.rules.judge(known, call, context, headers) {
            Verdict::Pass(output) => {
                let eye = self.rules.eye(output, call, context);
                CheckFuture::forward(self.inner.call(request), self.known.clone(), eye)
            }
            Verdict::Refuse(denial) => CheckFuture::refused(context, denial),
            Verdict::Ask => {
                let Some(known) = self.known.clone() else {
                    let denial = Denial::new(DenialKind::Internal, "nobody can be asked");
                    return CheckFuture::refused(context, denial);
                };
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                let (call, context) = (call.clone(), context.clone());
                let learn = Learn::new(Arc::clone(&known), service, request, &call, &context);
                CheckFuture {
                    state: State::Learn {
                        asking: Box::new(Asking {
                            learn,
                            known,
                            rules: Arc::clone(&self.rules),
                            call,
                            context,
                        }),
                    },
                }
            }
        }
    }
}

/// What is looked at of an answer that is on its way out.
enum Eye {
    /// The tools of a list.
    List,
    /// What a tool answers.
    Tool(Box<Lens>),
}

impl Rules {
    fn eye(&self, output: Option<Output>, call: &Call, context: &SecurityContext) -> Option<Eye> {
        if call.method() == "tools/list" {
            return Some(Eye::List);
        }
        let lens = self.lens(output, call, context)?;
        Some(Eye::Tool(Box::new(lens)))
    }
}

fn called<B>(request: &Request<B>) -> Option<(&SecurityContext, &Call)> {
    let context = SecurityContext::find(request.extensions())?;
    Some((context, context.call()?))
}

/// A call that waits for what the server says of its tool.
struct Asking<S, B, F, ResB> {
    learn: Learn<S, B, F, ResB>,
    known: Arc<Known>,
    rules: Arc<Rules>,
    call: Call,
    context: SecurityContext,
}

pin_project! {
    /// The future of [`Check`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CheckFuture<S, B, F, ResB> {
        #[pin]
        state: State<S, B, F, ResB>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, B, F, ResB> {
        Forward {
            #[pin]
            inner: F,
            known: Option<Arc<Known>>,
            eye: Option<Eye>,
        },
        // In a box: few answers are held.
        Read {
            whole: Pin<Box<Whole<ResB>>>,
            known: Option<Arc<Known>>,
        },
        Refused {
            response: Option<Response<CheckBody<ResB>>>,
        },
        // In a box: few calls wait.
        Learn {
            asking: Box<Asking<S, B, F, ResB>>,
        },
    }
}

impl<S, B, F, ResB> CheckFuture<S, B, F, ResB> {
    fn forward(inner: F, known: Option<Arc<Known>>, eye: Option<Eye>) -> Self {
        Self {
            state: State::Forward { inner, known, eye },
        }
    }

    fn refused(context: &SecurityContext, denial: Denial) -> Self {
        Self {
            state: State::refused(context, denial),
        }
    }
}

impl<S, B, F, ResB> State<S, B, F, ResB> {
    fn refused(context: &SecurityContext, denial: Denial) -> Self {
        let response: Response<_> = refuse!("validate", context, denial);
        Self::Refused {
            response: Some(response.map(CheckBody::refusal)),
        }
    }
}

impl<S, B, ResB> Future for CheckFuture<S, B, S::Future, ResB>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes>,
{
    type Output = Result<Response<CheckBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Forward { inner, known, eye } => {
                    let response = ready!(inner.poll(cx))?;
                    let known = known.take();
                    let answer = match eye.take() {
                        None => response.map(CheckBody::untouched),
                        Some(Eye::List) => CheckBody::watched(response, known.clone()),
                        Some(Eye::Tool(lens)) => match begin(response, lens) {
                            Begun::Answer(answer) => answer,
                            Begun::Whole(whole) => {
                                state.set(State::Read { whole, known });
                                continue;
                            }
                        },
                    };
                    return Poll::Ready(Ok(CheckBody::heard(answer, known.as_ref())));
                }
                StateProj::Read { whole, known } => {
                    let answer = match ready!(whole.as_mut().poll_judged(cx)) {
                        Judged::Passes(head, bytes, trailers) => {
                            Response::from_parts(head, CheckBody::whole(bytes, trailers))
                        }
                        Judged::Refused(response) => response.map(CheckBody::refusal),
                    };
                    return Poll::Ready(Ok(CheckBody::heard(answer, known.as_ref())));
                }
                StateProj::Refused { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response)),
                        // Polled after it completed, which the contract of `Future` forbids.
                        None => Poll::Pending,
                    };
                }
                StateProj::Learn { asking } => {
                    let outcome = ready!(asking.learn.poll_outcome(cx))?;
                    let verdict = asking.rules.judge_learned(
                        &asking.known,
                        outcome,
                        &asking.call,
                        &asking.context,
                    );
                    match (verdict, asking.learn.request.take()) {
                        (Verdict::Pass(output), Some(request)) => State::Forward {
                            inner: asking.learn.service.call(request),
                            known: Some(Arc::clone(&asking.known)),
                            eye: asking.rules.eye(output, &asking.call, &asking.context),
                        },
                        (Verdict::Refuse(denial), _) => State::refused(&asking.context, denial),
                        (Verdict::Pass(_) | Verdict::Ask, _) => {
                            let denial = Denial::new(DenialKind::Internal, "the call is gone");
                            State::refused(&asking.context, denial)
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S, B, F, ResB> fmt::Debug for CheckFuture<S, B, F, ResB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckFuture").finish_non_exhaustive()
    }
}

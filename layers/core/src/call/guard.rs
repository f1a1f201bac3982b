use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    Call, CallLimits, ReadCall,
    read::{Reading, known},
};
use crate::{Denial, GuardFuture, RequestBody, ResponseBody, SecurityContext};

/// What a layer that decides by the call decides.
///
/// A [`CallGuard`] over a judge is the whole service: it reads the call if no outer layer did,
/// hands it to the judge, and forwards or refuses. Judges are cloned with the service and for a
/// request whose body has to be waited for, so they hold what they know behind an `Arc`.
pub trait JudgeCall: Clone {
    /// What is kept of a request that may pass, for its answer; `()` if nothing.
    type Pass: Pass;

    /// What a call may measure that this judge reads or finds read.
    fn limits(&self) -> CallLimits;

    /// Whether the call may pass.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn judge(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Self::Pass, Denial>;

    /// The same, for a judge that has to ask somebody about some calls: those wait. By default none does.
    ///
    /// # Errors
    ///
    /// The refusal.
    #[inline]
    fn begin(
        &self,
        call: &Call,
        headers: &HeaderMap,
        context: &SecurityContext,
    ) -> Result<Judged<Self::Pass>, Denial> {
        self.judge(call, headers, context).map(Judged::Now)
    }

    /// Renders a refusal of the judge, or of the reading: [`refuse!`](crate::refuse) with the
    /// layer's name.
    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>>;
}

/// What a [`JudgeCall`] has decided.
#[expect(clippy::exhaustive_enums, reason = "a call is decided, or it waits")]
pub enum Judged<P> {
    /// The call may pass.
    Now(P),
    /// It waits.
    Later(Pending<P>),
}

/// A decision that is waited for. Boxed: few calls wait, and the futures of all others would be as large.
pub type Pending<P> = Pin<Box<dyn Future<Output = Result<P, Denial>> + Send>>;

/// What a [`JudgeCall`] does to the answer of a request that it let pass.
pub trait Pass: Sized {
    /// Adds to the answer's headers.
    fn amend(self, headers: &mut HeaderMap);

    /// Sees the whole answer, where headers are not enough; by default it [amends](Self::amend) them.
    fn complete<B>(self, answer: &mut Response<ResponseBody<B>>) {
        self.amend(answer.headers_mut());
    }
}

impl Pass for () {
    fn amend(self, _: &mut HeaderMap) {}
}

/// The service of layers that decide by the call.
#[derive(Debug, Clone)]
pub struct CallGuard<S, J> {
    inner: S,
    judge: J,
}

impl<S, J> CallGuard<S, J> {
    /// Guards a service by a judge.
    pub fn new(inner: S, judge: J) -> Self {
        Self { inner, judge }
    }

    crate::inner_accessors!();
}

impl<S, J, ReqB, ResB> Service<Request<ReqB>> for CallGuard<S, J>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>> + Clone,
    J: JudgeCall,
    ReqB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = CallGuardFuture<S, J, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        // It is judged where it lies: nothing is counted or moved for it.
        let context = match SecurityContext::find(&parts.extensions) {
            Some(context) => context,
            None => SecurityContext::made_in(&mut parts.extensions),
        };
        context.note_method(&parts.method);
        let limits = self.judge.limits();
        let judged = match Reading::begin(&parts.method, &parts.headers, body, context, limits) {
            Ok(Reading::Known(bytes)) => judged(&self.judge, &parts.headers, context)
                .map(|judged| (judged, RequestBody::buffered(bytes))),
            Ok(Reading::Waits(body)) => {
                let context = context.clone();
                let read = ReadCall::wait(parts, body, limits);
                return self.hold(Step::Read(read), context);
            }
            Err(denial) => Err(denial),
        };
        match judged {
            Ok((Judged::Now(pass), body)) => CallGuardFuture {
                state: State::Decided {
                    pass: Some(pass),
                    guard: GuardFuture::forward(self.inner.call(Request::from_parts(parts, body))),
                },
            },
            Ok((Judged::Later(pending), body)) => {
                let context = context.clone();
                let request = Request::from_parts(parts, body);
                self.hold(Step::wait(request, pending), context)
            }
            Err(denial) => CallGuardFuture::refuse(self.judge.refuse(context, denial)),
        }
    }
}

impl<S, J: JudgeCall> CallGuard<S, J> {
    /// Puts a request off.
    fn hold<ReqB, ResB>(
        &mut self,
        step: Step<J::Pass, ReqB>,
        context: SecurityContext,
    ) -> CallGuardFuture<S, J, ReqB, ResB>
    where
        S: Service<Request<RequestBody<ReqB>>> + Clone,
    {
        // The service that was polled ready must be the one that is called.
        let clone = self.inner.clone();
        let held = Box::new(Held {
            step,
            service: mem::replace(&mut self.inner, clone),
            judge: self.judge.clone(),
            context,
        });
        CallGuardFuture {
            state: State::Held { held },
        }
    }
}

pin_project! {
    /// The future of [`CallGuard`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CallGuardFuture<S, J, ReqB, ResB>
    where
        S: Service<Request<RequestBody<ReqB>>>,
        J: JudgeCall,
    {
        #[pin]
        state: State<S, J, J::Pass, ReqB, S::Future, ResB>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, J, P, ReqB, F, ResB> {
        Held {
            held: Box<Held<S, J, P, ReqB>>,
        },
        Decided {
            pass: Option<P>,
            #[pin]
            guard: GuardFuture<F, ResB>,
        },
    }
}

/// A request whose body is waited for, or what its judge asks. In a box: only the outermost guard reads, and
/// the futures of all others would be as large.
struct Held<S, J, P, ReqB> {
    step: Step<P, ReqB>,
    service: S,
    judge: J,
    context: SecurityContext,
}

enum Step<P, ReqB> {
    Read(ReadCall<ReqB>),
    Wait {
        request: Option<Request<RequestBody<ReqB>>>,
        pending: Pending<P>,
    },
}

impl<P, ReqB> Step<P, ReqB> {
    fn wait(request: Request<RequestBody<ReqB>>, pending: Pending<P>) -> Self {
        Self::Wait {
            request: Some(request),
            pending,
        }
    }
}

impl<S, J, ReqB> Held<S, J, J::Pass, ReqB>
where
    J: JudgeCall,
    ReqB: Body<Data = Bytes>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Admitted<J::Pass, ReqB>> {
        loop {
            match &mut self.step {
                Step::Read(read) => {
                    let request = ready!(Pin::new(read).poll(cx))?;
                    match judged(&self.judge, request.headers(), &self.context)? {
                        Judged::Now(pass) => return Poll::Ready(Ok((request, pass))),
                        Judged::Later(pending) => self.step = Step::wait(request, pending),
                    }
                }
                Step::Wait { request, pending } => {
                    let pass = ready!(pending.as_mut().poll(cx))?;
                    return match request.take() {
                        Some(request) => Poll::Ready(Ok((request, pass))),
                        // Polled after it completed, which the contract of `Future` forbids.
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

type Admitted<P, ReqB> = Result<(Request<RequestBody<ReqB>>, P), Denial>;

impl<S, J, P, ReqB, F, ResB> State<S, J, P, ReqB, F, ResB> {
    fn refuse(response: Response<ResponseBody<ResB>>) -> Self {
        Self::Decided {
            guard: GuardFuture::refuse(response),
            pass: None,
        }
    }
}

impl<S, J, ReqB, ResB> CallGuardFuture<S, J, ReqB, ResB>
where
    S: Service<Request<RequestBody<ReqB>>>,
    J: JudgeCall,
{
    fn refuse(response: Response<ResponseBody<ResB>>) -> Self {
        Self {
            state: State::refuse(response),
        }
    }
}

impl<S, J, ReqB, ResB> Future for CallGuardFuture<S, J, ReqB, ResB>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>>,
    J: JudgeCall,
    ReqB: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let decided = match state.as_mut().project() {
                StateProj::Held { held } => match ready!(held.poll(cx)) {
                    Ok((request, pass)) => State::Decided {
                        guard: GuardFuture::forward(held.service.call(request)),
                        pass: Some(pass),
                    },
                    Err(denial) => State::refuse(held.judge.refuse(&held.context, denial)),
                },
                StateProj::Decided { guard, pass } => {
                    // Answers are large: this one stays where it is.
                    let mut polled = guard.poll(cx);
                    if let Poll::Ready(Ok(response)) = &mut polled
                        && let Some(pass) = pass.take()
                    {
                        pass.complete(response);
                    }
                    return polled;
                }
            };
            state.set(decided);
        }
    }
}

/// Judges a call that was read.
fn judged<J: JudgeCall>(
    judge: &J,
    headers: &HeaderMap,
    context: &SecurityContext,
) -> Result<Judged<J::Pass>, Denial> {
    judge.begin(known(context)?, headers, context)
}

impl<P> fmt::Debug for Judged<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now(..)",
            Self::Later(_) => "Later(..)",
        })
    }
}

impl<S, J, ReqB, ResB> fmt::Debug for CallGuardFuture<S, J, ReqB, ResB>
where
    S: Service<Request<RequestBody<ReqB>>>,
    J: JudgeCall,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallGuardFuture").finish_non_exhaustive()
    }
}

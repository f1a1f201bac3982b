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

use super::{Begun, Call, CallLimits, ReadCall};
use crate::{Denial, DenialKind, GuardFuture, RequestBody, ResponseBody, SecurityContext};

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

    /// Renders a refusal of the judge, or of the reading: [`refuse!`](crate::refuse) with the
    /// layer's name.
    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>>;
}

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

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        // What an outer guard read is judged where it lies: nothing is counted or moved for it.
        if let Some(context) = SecurityContext::find(request.extensions())
            && let Some(call) = context.call()
        {
            // The layer that read it may have had wider limits.
            let fits = call.measures().fit(&self.judge.limits());
            let verdict = fits.and_then(|()| self.judge.judge(call, request.headers(), context));
            let pass = match verdict {
                Ok(pass) => Some(pass),
                Err(denial) => return CallGuardFuture::refuse(self.judge.refuse(context, denial)),
            };
            let body = RequestBody::buffered(call.body().clone());
            let request = request.map(|_| body);
            return CallGuardFuture {
                state: State::Decided {
                    pass,
                    guard: GuardFuture::forward(self.inner.call(request)),
                },
            };
        }
        let context = SecurityContext::of(&mut request);
        let request = match ReadCall::begin(request, &context, self.judge.limits()) {
            Ok(Begun::Known(request)) => request,
            Ok(Begun::Read(read)) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let reading = Box::new(Reading {
                    read,
                    service: mem::replace(&mut self.inner, clone),
                    judge: self.judge.clone(),
                    context,
                });
                let state = State::Read { reading };
                return CallGuardFuture { state };
            }
            Err(denial) => return CallGuardFuture::refuse(self.judge.refuse(&context, denial)),
        };
        match judged(&self.judge, &request, &context) {
            Ok(pass) => CallGuardFuture {
                state: State::Decided {
                    pass: Some(pass),
                    guard: GuardFuture::forward(self.inner.call(request)),
                },
            },
            Err(denial) => CallGuardFuture::refuse(self.judge.refuse(&context, denial)),
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
        Read {
            reading: Box<Reading<S, J, ReqB>>,
        },
        Decided {
            pass: Option<P>,
            #[pin]
            guard: GuardFuture<F, ResB>,
        },
    }
}

/// A request whose body is waited for. In a box: only the outermost guard reads, and the futures
/// of all others would be as large.
struct Reading<S, J, ReqB> {
    read: ReadCall<ReqB>,
    service: S,
    judge: J,
    context: SecurityContext,
}

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
                StateProj::Read { reading } => {
                    let read = ready!(Pin::new(&mut reading.read).poll(cx));
                    let judged = read.and_then(|request| {
                        let pass = judged(&reading.judge, &request, &reading.context)?;
                        Ok((request, pass))
                    });
                    match judged {
                        Ok((request, pass)) => State::Decided {
                            guard: GuardFuture::forward(reading.service.call(request)),
                            pass: Some(pass),
                        },
                        Err(denial) => {
                            State::refuse(reading.judge.refuse(&reading.context, denial))
                        }
                    }
                }
                StateProj::Decided { guard, pass } => {
                    let mut response = ready!(guard.poll(cx))?;
                    if let Some(pass) = pass.take() {
                        pass.complete(&mut response);
                    }
                    return Poll::Ready(Ok(response));
                }
            };
            state.set(decided);
        }
    }
}

/// Judges a call that was read.
fn judged<J: JudgeCall, B>(
    judge: &J,
    request: &Request<B>,
    context: &SecurityContext,
) -> Result<J::Pass, Denial> {
    match context.call() {
        Some(call) => judge.judge(call, request.headers(), context),
        // Reading stamps the call; without it nothing could be judged.
        None => Err(Denial::new(DenialKind::Internal, "the call was not read")),
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

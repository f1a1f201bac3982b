use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Begun, CallLimits, MirroredParams, ReadCall};
use crate::{GuardFuture, RequestBody, ResponseBody, SecurityContext, refuse};

/// The service of [`CallLayer`](super::CallLayer).
#[derive(Debug, Clone)]
pub struct CallService<S> {
    inner: S,
    limits: CallLimits,
    params: Option<Arc<MirroredParams>>,
}

impl<S> CallService<S> {
    pub(super) fn new(inner: S, limits: CallLimits, params: Option<Arc<MirroredParams>>) -> Self {
        Self {
            inner,
            limits,
            params,
        }
    }

    crate::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for CallService<S>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>> + Clone,
    ReqB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = CallFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let state = match ReadCall::begin(request, &context, self.limits) {
            Ok(Begun::Known(request)) => State::Decided {
                guard: judged(&mut self.inner, request, &context, self.params.as_deref()),
            },
            Ok(Begun::Read(read)) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                State::Read {
                    read,
                    service: mem::replace(&mut self.inner, clone),
                    context,
                    params: self.params.clone(),
                }
            }
            Err(denial) => State::Decided {
                guard: GuardFuture::refuse(refuse!("call", &context, denial)),
            },
        };
        CallFuture { state }
    }
}

pin_project! {
    /// The future of [`CallService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CallFuture<S, ReqB, ResB>
    where
        S: Service<Request<RequestBody<ReqB>>>,
    {
        #[pin]
        state: State<S, ReqB, GuardFuture<S::Future, ResB>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, F> {
        Read {
            #[pin]
            read: ReadCall<ReqB>,
            service: S,
            context: SecurityContext,
            params: Option<Arc<MirroredParams>>,
        },
        Decided { #[pin] guard: F },
    }
}

impl<S, ReqB, ResB> Future for CallFuture<S, ReqB, ResB>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>>,
    ReqB: Body<Data = Bytes>,
{
    type Output = Result<Response<ResponseBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let guard = match state.as_mut().project() {
                StateProj::Read {
                    read,
                    service,
                    context,
                    params,
                } => match ready!(read.poll(cx)) {
                    Ok(request) => judged(service, request, context, params.as_deref()),
                    Err(denial) => GuardFuture::refuse(refuse!("call", context, denial)),
                },
                StateProj::Decided { guard } => return guard.poll(cx),
            };
            state.set(State::Decided { guard });
        }
    }
}

/// Hands a call that was read on, if its mirrored parameters agree.
fn judged<S, ReqB, ResB>(
    service: &mut S,
    request: Request<RequestBody<ReqB>>,
    context: &SecurityContext,
    params: Option<&MirroredParams>,
) -> GuardFuture<S::Future, ResB>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>>,
{
    let verdict = match (params, context.call()) {
        (Some(params), Some(call)) => params.check(call, request.headers()),
        _ => Ok(()),
    };
    match verdict {
        Ok(()) => GuardFuture::forward(service.call(request)),
        Err(denial) => GuardFuture::refuse(refuse!("call", context, denial)),
    }
}

impl<S, ReqB, ResB> fmt::Debug for CallFuture<S, ReqB, ResB>
where
    S: Service<Request<RequestBody<ReqB>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

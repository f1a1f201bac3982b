use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Begun, CallLimits, ReadCall};
use crate::{RequestBody, ResponseBody, SecurityContext, refuse};

/// The service of [`CallLayer`](super::CallLayer).
#[derive(Debug, Clone)]
pub struct CallService<S> {
    inner: S,
    limits: CallLimits,
}

impl<S> CallService<S> {
    pub(super) fn new(inner: S, limits: CallLimits) -> Self {
        Self { inner, limits }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the layer off.
    pub fn into_inner(self) -> S {
        self.inner
    }
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
            Ok(Begun::Known(request)) => State::Forward {
                inner: self.inner.call(request),
            },
            Ok(Begun::Read(read)) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                State::Read {
                    read,
                    service: mem::replace(&mut self.inner, clone),
                    context,
                }
            }
            Err(denial) => State::Refuse {
                response: Some(refuse!("call", &context, denial)),
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
        state: State<S, ReqB, ResB, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, ResB, F> {
        Read {
            #[pin]
            read: ReadCall<ReqB>,
            service: S,
            context: SecurityContext,
        },
        Forward { #[pin] inner: F },
        Refuse { response: Option<Response<ResponseBody<ResB>>> },
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
            let next = match state.as_mut().project() {
                StateProj::Read {
                    read,
                    service,
                    context,
                } => match ready!(read.poll(cx)) {
                    Ok(request) => State::Forward {
                        inner: service.call(request),
                    },
                    Err(denial) => State::Refuse {
                        response: Some(refuse!("call", context, denial)),
                    },
                },
                StateProj::Forward { inner } => {
                    let response = ready!(inner.poll(cx))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProj::Refuse { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |r| Poll::Ready(Ok(r)));
                }
            };
            state.set(next);
        }
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

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{PendingVerification, service::Waiting};
use crate::{Denial, ResponseBody, SecurityContext, refuse};

pin_project! {
    /// The future of [`Auth`](super::Auth).
    #[must_use = "futures do nothing unless polled"]
    pub struct AuthFuture<S, ReqB, ResB>
    where
        S: Service<Request<ReqB>>,
    {
        #[pin]
        state: State<S, ReqB, ResB, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, ResB, F> {
        Wait {
            verification: PendingVerification,
            waiting: Option<Waiting<S, ReqB>>,
        },
        Forward {
            #[pin]
            inner: F,
            response_headers: Vec<(HeaderName, HeaderValue)>,
        },
        Refuse { response: Option<Response<ResponseBody<ResB>>> },
    }
}

impl<S, ReqB, ResB> AuthFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>>,
{
    pub(super) fn forward(
        inner: S::Future,
        response_headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Self {
        Self {
            state: State::Forward {
                inner,
                response_headers,
            },
        }
    }

    pub(super) fn refuse(context: &SecurityContext, denial: Denial) -> Self {
        Self {
            state: State::Refuse {
                response: Some(refuse!("auth", context, denial)),
            },
        }
    }

    pub(super) fn wait(verification: PendingVerification, waiting: Waiting<S, ReqB>) -> Self {
        Self {
            state: State::Wait {
                verification,
                waiting: Some(waiting),
            },
        }
    }
}

impl<S, ReqB, ResB> Future for AuthFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Output = Result<Response<ResponseBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Wait {
                    verification,
                    waiting,
                } => {
                    let result = ready!(verification.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match waiting.resume(result) {
                        Ok((inner, response_headers)) => State::Forward {
                            inner,
                            response_headers,
                        },
                        Err((context, denial)) => State::Refuse {
                            response: Some(refuse!("auth", &context, denial)),
                        },
                    }
                }
                StateProj::Forward {
                    inner,
                    response_headers,
                } => {
                    let mut response = ready!(inner.poll(cx))?.map(ResponseBody::inner);
                    for (name, value) in response_headers.drain(..) {
                        response.headers_mut().append(name, value);
                    }
                    return Poll::Ready(Ok(response));
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

impl<S, ReqB, ResB> std::fmt::Debug for AuthFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>>,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}

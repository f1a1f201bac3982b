use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{PendingVerification, lifetime::Lifetime, service::Waiting};
use crate::{Denial, GuardFuture, ResponseBody, SecurityContext, refuse};

pin_project! {
    /// The future of [`Auth`](super::Auth).
    #[must_use = "futures do nothing unless polled"]
    pub struct AuthFuture<S, ReqB, ResB>
    where
        S: Service<Request<ReqB>>,
    {
        #[pin]
        state: State<S, ReqB, GuardFuture<S::Future, ResB>>,
        response_headers: Vec<(HeaderName, HeaderValue)>,
        lifetime: Option<Lifetime>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, F> {
        Wait {
            verification: PendingVerification,
            // In a box: a credential that is judged at once needs no room for it.
            waiting: Option<Box<Waiting<S, ReqB>>>,
        },
        Decided { #[pin] guard: F },
    }
}

impl<S, ReqB, ResB> AuthFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>>,
{
    pub(super) fn forward(
        inner: S::Future,
        response_headers: Vec<(HeaderName, HeaderValue)>,
        lifetime: Option<Lifetime>,
    ) -> Self {
        Self {
            state: State::Decided {
                guard: GuardFuture::forward(inner),
            },
            response_headers,
            lifetime,
        }
    }

    pub(super) fn refuse(context: &SecurityContext, denial: Denial) -> Self {
        Self {
            state: State::Decided {
                guard: GuardFuture::refuse(refuse!("auth", context, denial)),
            },
            response_headers: Vec::new(),
            lifetime: None,
        }
    }

    pub(super) fn wait(verification: PendingVerification, waiting: Waiting<S, ReqB>) -> Self {
        Self {
            state: State::Wait {
                verification,
                waiting: Some(Box::new(waiting)),
            },
            response_headers: Vec::new(),
            lifetime: None,
        }
    }
}

impl<S, ReqB, ResB> Future for AuthFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Output = Result<Response<ResponseBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let guard = match this.state.as_mut().project() {
                StateProj::Wait {
                    verification,
                    waiting,
                } => {
                    let result = ready!(verification.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match waiting.resume(result) {
                        Ok((inner, response_headers, lifetime)) => {
                            *this.response_headers = response_headers;
                            *this.lifetime = lifetime;
                            GuardFuture::forward(inner)
                        }
                        Err((context, denial)) => {
                            GuardFuture::refuse(refuse!("auth", &context, denial))
                        }
                    }
                }
                StateProj::Decided { guard } => {
                    // Answers are large: this one stays where it is.
                    let mut polled = guard.poll(cx);
                    if let Poll::Ready(Ok(response)) = &mut polled {
                        for (name, value) in this.response_headers.drain(..) {
                            response.headers_mut().append(name, value);
                        }
                        if let Some(lifetime) = this.lifetime.take() {
                            lifetime.bound(response);
                        }
                    }
                    return polled;
                }
            };
            this.state.set(State::Decided { guard });
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

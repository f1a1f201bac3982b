use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{ResponseBody, SecurityContext, admit, refuse};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{SessionBody, incoming::Rules, outgoing::Exit};

/// The service of [`SessionLayer`](crate::SessionLayer).
#[derive(Debug, Clone)]
pub struct Session<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> Session<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Session<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<SessionBody<ResB>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let state = match self.rules.admit(request.headers_mut(), &context) {
            Ok(admitted) => {
                admit!("session", &context, admitted.kind);
                State::Forward {
                    inner: self.inner.call(request),
                    exit: Some(Exit {
                        keys: self.rules.keys.clone(),
                        context,
                        binding: admitted.binding,
                        session: admitted.session,
                    }),
                }
            }
            Err(denial) => State::Refuse {
                response: Some(refuse!("session", &context, denial)),
            },
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The future of [`Session`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, B> {
        Forward { #[pin] inner: F, exit: Option<Exit> },
        Refuse { response: Option<Response<ResponseBody<SessionBody<B>>>> },
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<SessionBody<B>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.project().state.project() {
            StateProj::Forward { inner, exit } => {
                let response = ready!(inner.poll(cx))?;
                exit.take().map(|exit| exit.finish(response))
            }
            StateProj::Refuse { response } => response.take(),
        };
        match response {
            Some(response) => Poll::Ready(Ok(response)),
            // Polled after it completed, which the contract of `Future` forbids.
            None => Poll::Pending,
        }
    }
}

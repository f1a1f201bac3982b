use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Response;
use pin_project_lite::pin_project;

use crate::ResponseBody;

pin_project! {
    /// What a guard that decides at once returns: the inner service's future, or its refusal.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct GuardFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, B> {
        Forward { #[pin] inner: F },
        Refuse { response: Option<Response<ResponseBody<B>>> },
    }
}

impl<F, B> GuardFuture<F, B> {
    /// Waits for the inner service.
    pub fn forward(inner: F) -> Self {
        Self {
            state: State::Forward { inner },
        }
    }

    /// Answers without the inner service.
    pub fn refuse(response: Response<ResponseBody<B>>) -> Self {
        Self {
            state: State::Refuse {
                response: Some(response),
            },
        }
    }
}

impl<F, B, E> Future for GuardFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Forward { inner } => inner
                .poll(cx)
                .map(|result| result.map(|response| response.map(ResponseBody::inner))),
            StateProj::Refuse { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it completed, which the contract of `Future` forbids.
                None => Poll::Pending,
            },
        }
    }
}

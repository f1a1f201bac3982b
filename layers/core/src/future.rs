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

impl<F, B, E> GuardFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    /// Polls it, and shows `see` what the inner service answers, for the guard to add to; not its own refusal.
    ///
    /// Answers are large, and one that is changed before it is passed on is moved once less than one that is
    /// changed afterwards.
    pub fn poll_seen(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        see: impl FnOnce(&mut Response<B>),
    ) -> Poll<Result<Response<ResponseBody<B>>, E>> {
        match self.project().state.project() {
            StateProj::Forward { inner } => {
                let mut polled = inner.poll(cx);
                if let Poll::Ready(Ok(response)) = &mut polled {
                    see(response);
                }
                match polled {
                    Poll::Ready(Ok(response)) => Poll::Ready(Ok(response.map(ResponseBody::inner))),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                }
            }
            StateProj::Refuse { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it completed, which the contract of `Future` forbids.
                None => Poll::Pending,
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
        self.poll_seen(cx, |_| {})
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready, pin::pin, task::Waker};

    use super::*;

    fn polled(
        future: GuardFuture<std::future::Ready<Result<Response<String>, Infallible>>, String>,
    ) -> Response<ResponseBody<String>> {
        let mut nobody = Context::from_waker(Waker::noop());
        let see = |response: &mut Response<String>| {
            response.headers_mut().insert("x-seen", 1.into());
        };
        match pin!(future).poll_seen(&mut nobody, see) {
            Poll::Ready(Ok(response)) => response,
            Poll::Pending => panic!("nothing is waited for"),
        }
    }

    #[test]
    fn an_answer_is_seen_on_its_way_and_a_refusal_is_not() {
        let answer = polled(GuardFuture::forward(ready(Ok(Response::default()))));
        assert!(answer.headers().contains_key("x-seen"));
        let refusal = polled(GuardFuture::refuse(Response::default()));
        assert!(refusal.headers().is_empty());
    }
}

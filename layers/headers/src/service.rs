use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{
    Denial, DenialKind, ResponseBody, SecurityContext, Trail, Transport, note, refuse, scrub,
};
use http::{Request, Response, header::AUTHORIZATION};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{apply::Asked, panics, rules::Rules};

/// Puts security headers on every answer of the inner service; made by
/// [`SecurityHeadersLayer`](crate::SecurityHeadersLayer).
#[derive(Debug, Clone)]
pub struct SecurityHeaders<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> SecurityHeaders<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for SecurityHeaders<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let authorized = request.headers().contains_key(AUTHORIZATION);
        let context = SecurityContext::of(&mut request);
        let mut future = ResponseFuture {
            state: State::Panicked,
            exchange: Exchange {
                rules: Arc::clone(&self.rules),
                context,
                authorized,
            },
        };
        // Inner futures are large: it is moved once, to where it stays.
        let called = || {
            future.state = State::Forward {
                inner: self.inner.call(request),
            }
        };
        if let Err(payload) = panics::caught(called) {
            panics::report(payload, &future.exchange.context);
        }
        future
    }
}

pin_project! {
    /// The answer of [`SecurityHeaders`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        exchange: Exchange,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Forward { #[pin] inner: F },
        Panicked,
        Answered,
    }
}

impl<F, ResB, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<ResB>, E>>,
{
    type Output = Result<Response<ResponseBody<ResB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let exchange = &*this.exchange;
        // Answers are large: this one stays where it is.
        let mut polled = Poll::Pending;
        match this.state.as_mut().project() {
            StateProj::Forward { inner } => {
                let poll = || {
                    polled = match inner.poll(cx) {
                        Poll::Pending => return,
                        Poll::Ready(result) => {
                            Poll::Ready(result.map(|response| response.map(ResponseBody::inner)))
                        }
                    };
                    // Scrubbing drops the inner body, whose destructor is foreign code too.
                    if let Poll::Ready(Ok(response)) = &mut polled {
                        exchange.scrub(response);
                    }
                };
                if let Err(payload) = panics::caught(poll) {
                    panics::report(payload, &exchange.context);
                    let left = mem::replace(&mut polled, Poll::Pending);
                    if let Err(payload) = panics::caught(|| drop(left)) {
                        panics::report(payload, &exchange.context);
                    }
                    polled = Poll::Ready(Ok(panics::answer(&exchange.context)));
                }
            }
            StateProj::Panicked => polled = Poll::Ready(Ok(panics::answer(&exchange.context))),
            // Polled after it completed, which the contract of `Future` forbids.
            StateProj::Answered => {}
        }
        if polled.is_pending() {
            return polled;
        }
        // Inner layers learn from the drop that they were left; the refusal is recorded by then.
        if let Err(payload) = panics::caught(|| this.state.set(State::Answered)) {
            panics::report(payload, &exchange.context);
        }
        if let Poll::Ready(Ok(response)) = &mut polled {
            exchange.finish(response);
        }
        polled
    }
}

/// One request's side of the matter.
#[derive(Debug)]
struct Exchange {
    rules: Arc<Rules>,
    context: SecurityContext,
    authorized: bool,
}

impl Exchange {
    fn scrub<B>(&self, response: &mut Response<ResponseBody<B>>) {
        if self.rules.keep_inner_5xx_bodies || !scrub(response, &self.context) {
            return;
        }
        let status = response.status().as_u16();
        tracing::warn!(
            target: "bartizan::headers",
            correlation_id = self.context.correlation_id().as_str(),
            status,
            "an inner server error lost its text"
        );
        // A record that is written says that the service failed, which is as much.
        let is_closed = |context: &&SecurityContext| context.trail().is_some_and(Trail::is_closed);
        let context = Some(&self.context).filter(|context| !is_closed(context));
        let reason = || format!("the inner service answered {status}");
        note!("headers", context, "scrubbed", reason());
    }

    fn finish<B>(&self, response: &mut Response<ResponseBody<B>>) {
        if self
            .rules
            .apply(response.headers_mut(), self.asked())
            .is_err()
        {
            let denial = Denial::new(
                DenialKind::Internal,
                "the inner answer has too many headers",
            );
            let full = mem::replace(response, refuse!("headers", &self.context, denial));
            if let Err(payload) = panics::caught(|| drop(full)) {
                panics::report(payload, &self.context);
            }
            // A refusal's few headers always fit.
            let _ = self.rules.apply(response.headers_mut(), self.asked());
        }
    }

    fn asked(&self) -> Asked {
        let identified = self.context.principal().is_some_and(|p| !p.is_anonymous());
        Asked {
            over_tls: match self.context.transport() {
                Some(Transport::Tls) => true,
                Some(_) => false,
                None => self.rules.tls_terminated_here,
            },
            authorized: self.authorized || identified,
        }
    }
}

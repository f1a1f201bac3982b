use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{
    Denial, DenialKind, GuardFuture, ResponseBody, SecurityContext, admit, refuse,
};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    policy::Policy,
    preflight::is_preflight,
    response::{Mark, vary_by_origin},
};

/// The service of [`CorsLayer`](crate::CorsLayer).
#[derive(Debug, Clone)]
pub struct Cors<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> Cors<S> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Cors<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let origin = match self.policy.judge(request.headers()) {
            Ok(origin) => origin,
            Err(reason) => return ResponseFuture::answer(refusal(&mut request, reason)),
        };
        // Without another layer's context there is nobody to tell, and none is made.
        let context = SecurityContext::find(request.extensions());
        if let Some(origin) = origin {
            if is_preflight(request.method(), request.headers()) {
                admit!("cors", context, "preflight", origin.shown());
                let answer = self
                    .policy
                    .preflight(origin.field.clone(), request.headers());
                return ResponseFuture::answer(answer);
            }
            admit!("cors", context, "origin_allowed", origin.shown());
        } else {
            admit!("cors", context, "no_origin");
        }
        let origin = origin.map(|origin| origin.field.clone());
        let mark = Some(Mark::of(&self.policy, origin));
        ResponseFuture {
            inner: GuardFuture::forward(self.inner.call(request)),
            mark,
        }
    }
}

fn refusal<ReqB, ResB>(
    request: &mut Request<ReqB>,
    reason: String,
) -> Response<ResponseBody<ResB>> {
    let context = SecurityContext::of(request);
    let denial = Denial::new(DenialKind::OriginRefused, reason);
    let mut response = refuse!("cors", &context, denial);
    vary_by_origin(response.headers_mut());
    response
}

pin_project! {
    /// The future of [`Cors`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: GuardFuture<F, B>,
        mark: Option<Mark>,
    }
}

impl<F, B> ResponseFuture<F, B> {
    fn answer(response: Response<ResponseBody<B>>) -> Self {
        Self {
            inner: GuardFuture::refuse(response),
            mark: None,
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.inner.poll_seen(cx, |response| {
            if let Some(mark) = this.mark.take() {
                mark.put(response.headers_mut());
            }
        })
    }
}

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, GuardFuture, ResponseBody, SecurityContext, admit, note, refuse};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{AddressLimits, failures::Watch, limits::Limits};
use crate::{
    fields::Telling,
    judge::{DISCOVERY, refused},
    keys::Owner,
    limiter::Asked,
    party::Party,
    table::Cell,
};

const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// The service of [`AddressLimitLayer`](crate::AddressLimitLayer).
#[derive(Debug, Clone)]
pub struct AddressLimit<S> {
    inner: S,
    limits: AddressLimits,
}

impl<S> AddressLimit<S> {
    pub(crate) fn new(inner: S, limits: AddressLimits) -> Self {
        Self { inner, limits }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for AddressLimit<S>
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
        let context = SecurityContext::of(&mut request);
        let limits = &*self.limits.0;
        let owner = Party::of_address(&context).owner(&limits.limiter.keys);
        let failed = limits.failed.map(|tier| limits.limiter.cell(tier, &owner));
        match limits.judge(request.headers(), &context, &owner, failed) {
            Ok(()) => {
                admit!("address_limit", &context, "within_limits");
                let watch =
                    failed.map(|cell| Watch::new(&self.limits, cell, request.headers(), &context));
                ResponseFuture {
                    inner: GuardFuture::forward(self.inner.call(request)),
                    watch,
                }
            }
            Err(denial) => ResponseFuture {
                inner: GuardFuture::refuse(refuse!("address_limit", &context, denial)),
                watch: None,
            },
        }
    }
}

impl Limits {
    fn judge(
        &self,
        headers: &HeaderMap,
        context: &SecurityContext,
        owner: &Owner,
        failed: Option<Cell>,
    ) -> Result<(), Denial> {
        if context.client_address().is_none() {
            let reason = "no layer outside found the client's address: all such share a bucket";
            note!("address_limit", context, "address_unknown", reason);
        }
        let mut asked = Asked::new();
        let tier = if is_discovery(headers) {
            self.discovery
        } else {
            self.address
        };
        if let Some(tier) = tier {
            asked.take(self.limiter.cell(tier, owner));
        }
        if let Some(cell) = failed {
            asked.look(cell);
        }
        let decided = self.limiter.decide(&mut asked);
        decided.map_or_else(|e| Err(refused(&e, Telling::default())), |_| Ok(()))
    }
}

fn is_discovery(headers: &HeaderMap) -> bool {
    let is_known = |method: &HeaderValue| DISCOVERY.iter().any(|known| *method == **known);
    headers.get(MCP_METHOD).is_some_and(is_known)
        && headers.get_all(MCP_METHOD).iter().nth(1).is_none()
}

pin_project! {
    /// The future of [`AddressLimit`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: GuardFuture<F, B>,
        watch: Option<Watch>,
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(cx))?;
        if let Some(watch) = this.watch.take() {
            watch.see(&response);
        }
        Poll::Ready(Ok(response))
    }
}

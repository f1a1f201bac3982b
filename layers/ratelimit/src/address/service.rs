use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{Denial, GuardFuture, ResponseBody, SecurityContext, admit, note, refuse};
use http::{HeaderMap, HeaderName, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{AddressLimits, failures::Watch};
use crate::{
    asked::Asked,
    fields::{self, Telling},
    judge::refused,
    limiter::Permit,
    parties::Parties,
    shared::Shared,
};

static MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");

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
        let shared = &self.limits.0;
        // Where an outer layer made the context it is judged where it lies.
        let judged = match SecurityContext::find(request.extensions()) {
            Some(context) => judge(shared, request.headers(), context),
            None => {
                let context = SecurityContext::of(&mut request);
                judge(shared, request.headers(), &context)
            }
        };
        match judged {
            Ok(admitted) => ResponseFuture {
                inner: GuardFuture::forward(self.inner.call(request)),
                admitted,
            },
            Err(denial) => {
                let context = SecurityContext::of(&mut request);
                ResponseFuture {
                    inner: GuardFuture::refuse(refuse!("address_limit", &context, denial)),
                    admitted: Admitted::default(),
                }
            }
        }
    }
}

/// What is kept of a request that may pass.
#[derive(Debug, Default)]
struct Admitted {
    // In a box: all futures outside of this one would be as large.
    watch: Option<Box<Watch>>,
    /// Nanoseconds for which the next such request would be refused.
    wait: u64,
    permit: Option<Box<Permit>>,
}

impl Admitted {
    fn see<B>(&mut self, response: &mut Response<B>) {
        if let Some(watch) = self.watch.take() {
            watch.see(response);
        }
        if self.wait > 0 {
            fields::prolong(response.headers_mut(), self.wait);
        }
    }

    /// The answer, which is open until its end.
    fn keep<B>(&mut self, response: Response<ResponseBody<B>>) -> Response<ResponseBody<B>> {
        match self.permit.take() {
            Some(permit) => response.map(|body| body.keeping(permit)),
            None => response,
        }
    }
}

fn judge(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    context: &SecurityContext,
) -> Result<Admitted, Denial> {
    if context.client_address().is_none() {
        let reason = "no layer outside found the client's address: all such share a bucket";
        note!("address_limit", context, "address_unknown", reason);
    }
    let limits = &*shared.current();
    let parties = Parties::new(shared.keys(), limits.prefixes, None, headers, context);
    let said = said_method(headers);
    let plan = match said {
        Some(method) => limits.plans.of_method(method),
        None => limits.plans.of_any(),
    };
    let mut asked = Asked::default();
    limits.ask(&mut asked, plan, &parties, 0);
    let (admitted, permit) = match shared.decide(limits, &mut asked) {
        Ok(admitted) => admitted,
        Err(exhausted) => {
            let said = said.unwrap_or_default();
            return Err(refused(&exhausted, Telling::default(), said));
        }
    };
    if let Some(rule) = admitted.would_refuse {
        note!(
            "address_limit",
            context,
            "would_refuse",
            rule.reason.clone()
        );
    }
    admit!("address_limit", context, "within_limits");
    // What only is looked at is charged by the answer.
    let looked_at = asked.rates.iter().find(|ask| ask.cost == 0);
    Ok(Admitted {
        watch: looked_at.map(|ask| Box::new(Watch::new(shared, *ask, headers, context))),
        wait: admitted.wait,
        permit,
    })
}

/// The method that `Mcp-Method` says, if it says one.
fn said_method(headers: &HeaderMap) -> Option<&str> {
    let mut said = headers.get_all(&MCP_METHOD).iter();
    let method = said.next()?.to_str().ok()?;
    said.next().is_none().then_some(method)
}

pin_project! {
    /// The future of [`AddressLimit`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, B> {
        #[pin]
        inner: GuardFuture<F, B>,
        admitted: Admitted,
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let admitted = this.admitted;
        let polled = this.inner.poll_seen(cx, |response| admitted.see(response));
        match admitted.permit {
            None => polled,
            Some(_) => polled.map(|result| result.map(|response| admitted.keep(response))),
        }
    }
}

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{
    Call, CallLimits, Denial, RequestBody, ResponseBody, SecurityContext,
    call::{CallGuard, CallGuardFuture, JudgeCall},
    refuse,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{CheckBody, check::Check, learn::Known, rules::Rules};

/// The service of [`ValidateLayer`](crate::ValidateLayer).
#[derive(Debug, Clone)]
pub struct Validate<S> {
    guard: CallGuard<Check<S>, Reading>,
}

/// The future of [`Validate`].
pub type ResponseFuture<S, ReqB, ResB> = CallGuardFuture<Check<S>, Reading, ReqB, CheckBody<ResB>>;

impl<S> Validate<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>) -> Self {
        let known = rules.learning.map(|how| {
            let (pins, events) = (rules.pins.clone(), rules.events.clone());
            Arc::new(Known::new(how, pins, rules.on_change, events))
        });
        let reading = Reading {
            limits: rules.call_limits,
        };
        Self {
            guard: CallGuard::new(Check::new(inner, rules, known), reading),
        }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.guard.get_ref().inner
    }

    /// The inner service, mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.guard.get_mut().inner
    }

    /// Takes the layer off.
    pub fn into_inner(self) -> S {
        self.guard.into_inner().inner
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Validate<S>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>> + Clone,
    ReqB: Body<Data = Bytes>,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<CheckBody<ResB>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.guard.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        self.guard.call(request)
    }
}

/// Reads the call if no outer layer did. What it asks is judged further in, where the server can be asked.
#[derive(Debug, Clone)]
pub struct Reading {
    limits: CallLimits,
}

impl JudgeCall for Reading {
    type Pass = ();

    fn limits(&self) -> CallLimits {
        self.limits
    }

    fn judge(&self, _: &Call, _: &HeaderMap, _: &SecurityContext) -> Result<(), Denial> {
        Ok(())
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("validate", context, denial)
    }
}

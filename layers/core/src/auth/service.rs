use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, HeaderValue, Request, Response};
use tower_service::Service;

use super::{
    AuthFuture, Identified, decide::Decision, fields::Survey, layer::Shared, lifetime::Lifetime,
};
use crate::{Denial, ResponseBody, SecurityContext};

/// The service of [`AuthLayer`](super::AuthLayer).
#[derive(Clone)]
pub struct Auth<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Auth<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    crate::inner_accessors!();
}

impl<S: fmt::Debug> fmt::Debug for Auth<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("inner", &self.inner)
            .field("layer", &self.shared)
            .finish()
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Auth<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = AuthFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let survey = self.shared.fields.hide(request.headers_mut());
        match self.shared.decide(&mut request, &survey, &context) {
            Decision::Forward(admission) => {
                let watched = admission.watched;
                let lifetime = Lifetime::of(
                    request.method(),
                    &survey.stated,
                    context,
                    &self.shared,
                    watched,
                );
                let inner = self.inner.call(request);
                AuthFuture::forward(inner, admission.response_headers, lifetime)
            }
            Decision::Refuse(denial) => AuthFuture::refuse(&context, denial),
            Decision::Wait(judge, verification) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                AuthFuture::wait(
                    verification,
                    Waiting {
                        shared: Arc::clone(&self.shared),
                        judge,
                        survey,
                        context,
                        service: ready,
                        request,
                    },
                )
            }
        }
    }
}

/// What becomes of a request whose credential was judged: the answer, with what is added to it.
pub(super) type Resumed<F> = (F, Vec<(HeaderName, HeaderValue)>, Option<Lifetime>);

/// A request whose credential is being judged, and the ready service that it goes to.
pub(super) struct Waiting<S, ReqB> {
    shared: Arc<Shared>,
    judge: usize,
    survey: Survey,
    pub(super) context: SecurityContext,
    service: S,
    request: Request<ReqB>,
}

impl<S, ReqB> Waiting<S, ReqB>
where
    S: Service<Request<ReqB>>,
{
    pub(super) fn resume(
        mut self,
        result: Result<Identified, Denial>,
    ) -> Result<Resumed<S::Future>, (SecurityContext, Denial)> {
        let headers = self.request.headers_mut();
        match self
            .shared
            .conclude(self.judge, result, headers, &self.survey, &self.context)
        {
            Ok(admission) => {
                let watched = admission.watched;
                let lifetime = Lifetime::of(
                    self.request.method(),
                    &self.survey.stated,
                    self.context,
                    &self.shared,
                    watched,
                );
                let answer = self.service.call(self.request);
                Ok((answer, admission.response_headers, lifetime))
            }
            Err(denial) => Err((self.context, denial)),
        }
    }
}

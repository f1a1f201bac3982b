use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{Denial, DenialKind, GuardFuture, ResponseBody, SecurityContext, refuse};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{RecordedBody, ResponseFuture, exchange::Exchange, header, layer::Settings};

/// Records every request of the inner service; made by [`AuditLayer`](crate::AuditLayer).
#[derive(Debug, Clone)]
pub struct Audit<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Audit<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Audit<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<RecordedBody<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let room = self.settings.has_room();
        if !room && !self.settings.continue_without_record {
            let refusal = refused(&self.settings, &context);
            return ResponseFuture::refused(GuardFuture::refuse(refusal));
        }
        let settings = Arc::clone(&self.settings);
        let mut exchange = Exchange::begin(settings, context, &request, room);
        // A panic of the call drops the exchange, which then knows what it was doing.
        exchange.enter();
        let inner = self.inner.call(request);
        exchange.leave();
        ResponseFuture::forwarded(GuardFuture::forward(inner), exchange)
    }
}

fn refused<B>(settings: &Settings, context: &SecurityContext) -> Response<ResponseBody<B>> {
    let denial = Denial::new(
        DenialKind::Unavailable,
        "there is no room for the request's audit record",
    );
    let mut response = refuse!("audit", context, denial);
    if let Some(name) = &settings.correlation_header {
        header::set(
            response.headers_mut(),
            name,
            context.correlation_id().as_str(),
        );
    }
    response
}

use std::task::{Context, Poll};

use bartizan_core::{Denial, DenialKind, GuardFuture, RequestBody, ResponseBody, SecurityContext};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use tower::layer::util::Identity;
use tower_layer::Layer;
use tower_service::Service;

use super::{Boxed, discover, request};
use crate::layer_contract;

layer_contract!(identity, || Identity::new(), || request());

layer_contract!(guard, || GuardLayer, || request(), || discover()
    .header("x-refuse", "1")
    .build(),);

layer_contract!(reader, || ReaderLayer, || request());

/// A guard of the family's form: decides at once, wraps the response.
#[derive(Debug, Clone)]
pub(super) struct GuardLayer;

#[derive(Debug, Clone)]
pub(super) struct Guard<S>(S);

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard(inner)
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Guard<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = GuardFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        if request.headers().contains_key("x-refuse") {
            let denial = Denial::new(DenialKind::OriginRefused, "the test said so");
            return GuardFuture::refuse(denial.into_response(&context));
        }
        GuardFuture::forward(self.0.call(request))
    }
}

/// A layer that reads the body, and so calls its inner service later and with another body type.
#[derive(Debug, Clone)]
struct ReaderLayer;

#[derive(Debug, Clone)]
struct Reader<S>(S);

impl<S> Layer<S> for ReaderLayer {
    type Service = Reader<S>;

    fn layer(&self, inner: S) -> Reader<S> {
        Reader(inner)
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Reader<S>
where
    S: Service<Request<RequestBody<ReqB>>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send,
    ReqB: Body<Data = Bytes, Error: Send> + Send + 'static,
{
    type Response = Response<ResponseBody<ResB>>;
    type Error = S::Error;
    type Future = Boxed<Self::Response, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let clone = self.0.clone();
        let mut inner = std::mem::replace(&mut self.0, clone);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let bytes = read(body).await;
            let request = Request::from_parts(parts, RequestBody::buffered(bytes));
            let response = inner.call(request).await?;
            Ok(response.map(ResponseBody::inner))
        })
    }
}

async fn read<B: Body<Data = Bytes>>(body: B) -> Bytes {
    let mut body = Box::pin(body);
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        bytes.extend(frame.into_data().unwrap_or_default());
        tokio::task::yield_now().await;
    }
    bytes.into()
}

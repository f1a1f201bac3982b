//! A layer that knows its caller anyway, for what a key costs above it.

use std::{
    convert::Infallible,
    future::{Ready, poll_fn, ready},
    task::{Context, Poll},
};

use bartizan_core::{
    Authenticator, Principal, SecurityContext,
    auth::{CredentialPlace, Credentials, Identified, Verification},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use tower::Service;

/// What any authenticator costs whose credential stands in a field.
pub(crate) struct Bare {
    principal: Principal,
    challenges: [HeaderValue; 1],
    headers: [HeaderName; 1],
}

impl Bare {
    pub(crate) fn new(principal: Principal) -> Self {
        Self {
            principal,
            challenges: [HeaderValue::from_static("Bearer")],
            headers: [HeaderName::from_static("x-api-key")],
        }
    }
}

impl Authenticator for Bare {
    fn name(&self) -> &'static str {
        "bare"
    }

    fn recognizes(&self, credentials: &Credentials<'_>) -> Option<CredentialPlace> {
        let [name] = &self.headers;
        let is_there = credentials.headers().contains_key(name);
        is_there.then(|| CredentialPlace::Header(name.clone()))
    }

    fn authenticate(&self, _: &Credentials<'_>, _: &SecurityContext) -> Verification {
        Ok(Identified::new(self.principal.clone())).into()
    }

    fn challenges(&self) -> &[HeaderValue] {
        &self.challenges
    }

    fn credential_headers(&self) -> &[HeaderName] {
        &self.headers
    }
}

/// Answers at once, with nothing.
#[derive(Clone)]
pub(crate) struct Inner;

impl<B> Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

/// Sends a request, and nothing is boxed for it.
pub(crate) async fn send<S, B>(service: &S, request: Request<Full<Bytes>>) -> Response<B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
{
    let mut service = service.clone();
    let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
    let Ok(answer) = service.call(request).await;
    answer
}

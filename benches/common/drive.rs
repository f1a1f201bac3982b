use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use tower::{Service, ServiceExt};

/// Takes one request to its answer, which must be there at the first poll. The answer is dropped.
pub fn drive<S, B>(service: &S, request: Request<Body>) -> StatusCode
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    black_box(answer(service, request)).status()
}

/// The same, for who wants to see the answer.
pub fn answer<S, B>(service: &S, request: Request<Body>) -> Response<B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone,
{
    let future = pin!(service.clone().oneshot(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("the answer was not there at once"),
    }
}

use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bartizan_core::SecurityContext;
use bytes::Bytes;
use futures_executor::block_on;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use tower::{Layer, Service, ServiceExt};

/// What came of one request.
pub(crate) struct Sent {
    /// The answer: the layer's own if the request was refused.
    pub(crate) answer: Response<Bytes>,
    /// The request as the inner service got it; `None` if the layer answered.
    pub(crate) reached: Option<Request<Bytes>>,
    pub(crate) context: SecurityContext,
}

impl Sent {
    pub(crate) fn is_admitted(&self) -> bool {
        self.reached.is_some()
    }
}

/// Sends one request through a layer around a service that answers 200 with an empty body.
pub(crate) fn send<L, B, R>(layer: &L, mut request: Request<B>) -> Sent
where
    L: Layer<Inner>,
    L::Service: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes, Error = Infallible>,
{
    let context = SecurityContext::of(&mut request);
    // So that reasons, which only a trail wants, are written too.
    context.open_trail();
    let reached = Rc::new(RefCell::new(None));
    let service = layer.layer(Inner(Rc::clone(&reached)));
    let Ok(answer) = block_on(service.oneshot(request));
    let (parts, body) = answer.into_parts();
    let Ok(body) = block_on(body.collect());
    let reached = reached.borrow_mut().take();
    assert!(
        !parts.status.is_server_error(),
        "the layer gave up: {}",
        parts.status
    );
    for finding in context.open_trail().findings() {
        let legible = finding.reason.chars().all(|c| !c.is_control());
        assert!(legible, "a finding breaks the log: {finding:?}");
    }
    Sent {
        answer: Response::from_parts(parts, body.to_bytes()),
        reached,
        context,
    }
}

/// The service behind the layer: it keeps the request.
#[derive(Clone)]
pub(crate) struct Inner(Rc<RefCell<Option<Request<Bytes>>>>);

impl<B> Service<Request<B>> for Inner
where
    B: Body<Data = Bytes, Error = Infallible> + 'static,
{
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reached = Rc::clone(&self.0);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let earlier = reached.replace(Some(Request::from_parts(parts, body)));
            assert!(earlier.is_none(), "the inner service was called twice");
            Ok(Response::new(Empty::new()))
        })
    }
}

/// A body in frames of at most `frame` bytes, all of them ready.
pub(crate) struct Frames(VecDeque<Bytes>);

impl Frames {
    pub(crate) fn new(body: &[u8], frame: usize) -> Self {
        Self(body.chunks(frame).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }
}

use std::{
    convert::Infallible,
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header, request};
use pin_project_lite::pin_project;
use tokio::sync::{mpsc, oneshot};
use tower_service::Service;

use crate::{
    FrameSender, Frames,
    frames::{DropGuard, Dropped},
};

/// A service whose every answer the test gives by hand, head and frames, and which tells when
/// its futures and bodies are dropped. It leaves the request's body unread.
#[derive(Debug)]
pub struct Scripted<E> {
    exchanges: mpsc::UnboundedSender<Exchange<E>>,
}

/// A server of event streams under the test's control.
pub type Sse = Scripted<Infallible>;

impl<E> Scripted<E> {
    /// The service, and where its calls appear.
    pub fn new() -> (Self, Exchanges<E>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { exchanges: sender }, Exchanges(receiver))
    }
}

impl<E> Clone for Scripted<E> {
    fn clone(&self) -> Self {
        Self {
            exchanges: self.exchanges.clone(),
        }
    }
}

impl<E, B> Service<Request<B>> for Scripted<E> {
    type Response = Response<Frames>;
    type Error = E;
    type Future = ScriptedFuture<E>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ScriptedFuture<E> {
        let (answer, receiver) = oneshot::channel();
        let dropped = Dropped::default();
        let exchange = Exchange {
            request: request.into_parts().0,
            answer: Some(answer),
            dropped: dropped.clone(),
        };
        self.exchanges
            .send(exchange)
            .unwrap_or_else(|_| panic!("nobody watches this scripted service"));
        ScriptedFuture {
            receiver,
            guard: DropGuard(dropped),
            pinned: PhantomPinned,
        }
    }
}

/// The calls that reach a [`Scripted`] service.
#[derive(Debug)]
pub struct Exchanges<E>(mpsc::UnboundedReceiver<Exchange<E>>);

impl<E> Exchanges<E> {
    /// The next call, as soon as there is one.
    pub async fn next(&mut self) -> Exchange<E> {
        match self.0.recv().await {
            Some(exchange) => exchange,
            None => panic!("the scripted service is gone"),
        }
    }

    /// A call that is already there.
    pub fn try_next(&mut self) -> Option<Exchange<E>> {
        self.0.try_recv().ok()
    }
}

/// One call under way.
#[derive(Debug)]
pub struct Exchange<E> {
    /// What the service was called with.
    pub request: request::Parts,
    answer: Option<oneshot::Sender<Result<Response<Frames>, E>>>,
    dropped: Dropped,
}

impl<E> Exchange<E> {
    /// Answers with this head; the frames follow through the sender.
    pub fn respond(&mut self, head: Response<()>) -> FrameSender {
        let (sender, frames) = Frames::channel();
        self.answer(Ok(head.map(|()| frames)));
        sender
    }

    /// Answers with the head of an event stream, as rmcp writes it.
    pub fn stream(&mut self) -> FrameSender {
        let mut head = Response::new(());
        for (name, value) in [
            (header::CONTENT_TYPE, "text/event-stream"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            head.headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        self.respond(head)
    }

    /// Fails the call.
    pub fn fail(&mut self, error: E) {
        self.answer(Err(error));
    }

    /// Whether the service's future is gone, answered or not.
    pub fn is_dropped(&self) -> bool {
        self.dropped.is_set()
    }

    fn answer(&mut self, answer: Result<Response<Frames>, E>) {
        // Nobody may be waiting any more; `is_dropped` tells.
        let _ = self.answer.take().unwrap().send(answer);
    }
}

pin_project! {
    /// The future of [`Scripted`]. Not `Unpin`, so that nobody relies on it.
    #[derive(Debug)]
    pub struct ScriptedFuture<E> {
        receiver: oneshot::Receiver<Result<Response<Frames>, E>>,
        guard: DropGuard,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<E> Future for ScriptedFuture<E> {
    type Output = Result<Response<Frames>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match ready!(Pin::new(self.project().receiver).poll(cx)) {
            Ok(answer) => Poll::Ready(answer),
            Err(_) => panic!("the test forgot to answer a call"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tower::util::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stream_goes_as_the_test_says_and_tells_when_it_is_dropped() {
        let (sse, mut exchanges) = Sse::new();
        let mut call = Box::pin(sse.oneshot(Request::get("/mcp").body(()).unwrap()));
        let mut exchange = tokio::select! {
            exchange = exchanges.next() => exchange,
            _ = &mut call => unreachable!("nobody answered yet"),
        };
        assert_eq!(exchange.request.uri, "/mcp");
        assert!(!exchange.is_dropped());
        let sender = exchange.stream();
        let Ok(response) = call.await;
        assert!(exchange.is_dropped());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = Box::pin(response.into_body());
        sender.event("one");
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "data: one\n\n");
        assert!(!sender.is_dropped());
        drop(body);
        assert!(sender.is_dropped());
    }

    #[tokio::test]
    async fn an_abandoned_call_shows() {
        let (sse, mut exchanges) = Sse::new();
        let call = sse.oneshot(Request::new(()));
        tokio::select! {
            biased;
            _ = call => unreachable!("nobody answered"),
            () = std::future::ready(()) => {}
        }
        assert!(exchanges.try_next().unwrap().is_dropped());
    }
}

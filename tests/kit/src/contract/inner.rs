use std::{
    fmt,
    future::{Ready, ready},
    marker::PhantomPinned,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_service::Service;

/// An error type that can nothing: what a layer does to it, it does to every other.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InnerError(pub u32);

/// A service that must be polled ready before each call, on the very instance that is called.
/// A clone is not ready.
#[derive(Debug, Default)]
pub struct ReadyOnce {
    ready: bool,
    tally: Arc<Tally>,
}

/// What happened to all clones of a [`ReadyOnce`].
#[derive(Debug, Default)]
pub(super) struct Tally {
    calls: AtomicUsize,
    unready_calls: AtomicUsize,
}

impl Tally {
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(super) fn unready_calls(&self) -> usize {
        self.unready_calls.load(Ordering::SeqCst)
    }
}

impl ReadyOnce {
    pub(super) fn new() -> (Self, Arc<Tally>) {
        let service = Self::default();
        let tally = service.tally.clone();
        (service, tally)
    }
}

impl Clone for ReadyOnce {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            tally: self.tally.clone(),
        }
    }
}

impl<B> Service<Request<B>> for ReadyOnce {
    type Response = Response<Full<Bytes>>;
    type Error = InnerError;
    type Future = Ready<Result<Self::Response, InnerError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), InnerError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        self.tally.calls.fetch_add(1, Ordering::SeqCst);
        if !std::mem::take(&mut self.ready) {
            self.tally.unready_calls.fetch_add(1, Ordering::SeqCst);
        }
        ready(Ok(Response::new(Full::default())))
    }
}

/// A service whose readiness the contract holds in its hand.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: GateState,
    wakers: Vec<Waker>,
}

#[derive(Debug, Clone, Default)]
enum GateState {
    #[default]
    Closed,
    Open,
    Broken(InnerError),
}

impl Gate {
    pub(super) fn open(&self) {
        self.change(GateState::Open);
    }

    pub(super) fn break_down(&self, error: InnerError) {
        self.change(GateState::Broken(error));
    }

    fn change(&self, state: GateState) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.state = state;
        shared.wakers.drain(..).for_each(Waker::wake);
    }
}

impl<B> Service<Request<B>> for Gate {
    type Response = Response<Full<Bytes>>;
    type Error = InnerError;
    type Future = Ready<Result<Self::Response, InnerError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), InnerError>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.state.clone() {
            GateState::Open => Poll::Ready(Ok(())),
            GateState::Broken(error) => Poll::Ready(Err(error)),
            GateState::Closed => {
                shared.wakers.push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Full::default())))
    }
}

pin_project! {
    /// A request body with no convenience at all: neither `Unpin` nor `Sync` nor `Default`, of
    /// unknown length, in several frames of which one is empty, and whose error is no `Error`.
    pub struct Awkward {
        whole: Full<Bytes>,
        frames: std::vec::IntoIter<Bytes>,
        // `Send`, but not `Sync`.
        unsync: std::cell::Cell<()>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Awkward {
    /// A body of the same bytes.
    pub fn of(whole: Full<Bytes>) -> Self {
        Self {
            whole,
            frames: Vec::new().into_iter(),
            unsync: std::cell::Cell::new(()),
            pinned: PhantomPinned,
        }
    }
}

impl Body for Awkward {
    type Data = Bytes;
    type Error = AwkwardError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AwkwardError>>> {
        let this = self.project();
        if let Poll::Ready(Some(Ok(frame))) = Pin::new(this.whole).poll_frame(cx) {
            let mut rest = frame.into_data().unwrap_or_default();
            let head = rest.split_to(rest.len() / 2);
            *this.frames = vec![head, Bytes::new(), rest].into_iter();
        }
        Poll::Ready(this.frames.next().map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl fmt::Debug for Awkward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Awkward").finish_non_exhaustive()
    }
}

/// The error that [`Awkward`] never makes.
#[derive(Debug)]
#[non_exhaustive]
pub struct AwkwardError;

use std::{
    error::Error,
    fmt,
    marker::PhantomPinned,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::sync::mpsc;

pin_project! {
    /// A body whose frames come through a channel. Neither `Unpin` nor `Sync`, so that nobody
    /// relies on it.
    pub struct Frames {
        receiver: mpsc::UnboundedReceiver<Result<Frame<Bytes>, FrameError>>,
        guard: DropGuard,
        // `Send`, but not `Sync`.
        unsync: std::cell::Cell<()>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Frames {
    /// A body and its source.
    pub fn channel() -> (FrameSender, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let dropped = Dropped::default();
        let frames = Self {
            receiver,
            guard: DropGuard(dropped.clone()),
            unsync: std::cell::Cell::new(()),
            pinned: PhantomPinned,
        };
        (FrameSender { sender, dropped }, frames)
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = FrameError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FrameError>>> {
        self.project().receiver.poll_recv(cx)
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

/// Feeds a [`Frames`] body; dropping it ends the body.
#[derive(Debug)]
pub struct FrameSender {
    sender: mpsc::UnboundedSender<Result<Frame<Bytes>, FrameError>>,
    dropped: Dropped,
}

impl FrameSender {
    /// Sends data.
    pub fn data(&self, bytes: impl Into<Bytes>) {
        self.send(Ok(Frame::data(bytes.into())));
    }

    /// Sends one server-sent event.
    pub fn event(&self, data: &str) {
        self.data(format!("data: {data}\n\n"));
    }

    /// Sends trailers.
    pub fn trailers(&self, trailers: HeaderMap) {
        self.send(Ok(Frame::trailers(trailers)));
    }

    /// Breaks the body.
    pub fn fail(&self) {
        self.send(Err(FrameError));
    }

    /// Whether the body is gone.
    pub fn is_dropped(&self) -> bool {
        self.dropped.is_set()
    }

    fn send(&self, frame: Result<Frame<Bytes>, FrameError>) {
        // A body that is gone takes no more; `is_dropped` tells.
        let _ = self.sender.send(frame);
    }
}

/// How a [`Frames`] body breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameError;

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test broke the body")
    }
}

impl Error for FrameError {}

/// Set when the guard of it is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dropped(Arc<AtomicBool>);

impl Dropped {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub(crate) struct DropGuard(pub(crate) Dropped);

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::SeqCst);
    }
}

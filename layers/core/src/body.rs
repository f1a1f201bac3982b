use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// A request body on its way inwards: untouched, or the bytes that were inspected.
    ///
    /// Only layers that read the body change its type, and what they hand on is byte for byte
    /// what they judged (IV-12).
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        held: Held<B>,
    }
}

impl<B> RequestBody<B> {
    /// A body that nobody read.
    pub fn untouched(body: B) -> Self {
        Self {
            held: Held::Theirs { body },
        }
    }

    /// A body that was read whole.
    pub fn buffered(bytes: Bytes) -> Self {
        Self {
            held: Held::ours(bytes),
        }
    }
}

pin_project! {
    /// A response body on its way outwards: the inner service's own, frame by frame, or the text
    /// of a refusal.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        held: Held<B>,
    }
}

impl<B> ResponseBody<B> {
    /// The inner service's body.
    pub fn inner(body: B) -> Self {
        Self {
            held: Held::Theirs { body },
        }
    }

    /// The same body, which passes nothing on from its end: an event stream that must not outlive its
    /// credential (TV-20).
    ///
    /// No timer runs: a stream on which nothing happens ends when something would.
    #[cfg(feature = "auth")]
    pub(crate) fn until(self, end: Box<dyn End>) -> Self {
        let held = match self.held {
            Held::Theirs { body } => Held::until(body, end),
            Held::Until { mut until } => {
                until.as_mut().project().ends.push(end);
                Held::Until { until }
            }
            ours @ (Held::Ours { .. } | Held::OurStream { .. }) => ours,
        };
        Self { held }
    }

    /// A body of our own.
    pub fn refusal(bytes: impl Into<Bytes>) -> Self {
        Self {
            held: Held::ours(bytes.into()),
        }
    }

    /// One that does not tell its length before.
    pub(crate) fn stream_of(bytes: Bytes) -> Self {
        let bytes = Some(bytes);
        Self {
            held: Held::OurStream { bytes },
        }
    }
}

impl<B> Default for ResponseBody<B> {
    /// An empty body.
    fn default() -> Self {
        Self::refusal(Bytes::new())
    }
}

pin_project! {
    /// What both bodies are made of.
    #[project = HeldProj]
    #[derive(Debug)]
    enum Held<B> {
        Theirs { #[pin] body: B },
        Ours { bytes: Option<Bytes> },
        OurStream { bytes: Option<Bytes> },
        // In a box: few bodies end before their service says so, and each layer would make all others
        // larger.
        Until { until: Pin<Box<Until<B>>> },
    }
}

pin_project! {
    /// A body that ends when the first of these comes.
    #[derive(Debug)]
    struct Until<B> {
        #[pin]
        body: B,
        ends: Vec<Box<dyn End>>,
        // Once over it stays so, though a clock may be set back.
        is_over: bool,
    }
}

/// What ends a body, whatever its service goes on to say.
pub(crate) trait End: fmt::Debug + Send + Sync {
    /// Asked before each frame.
    fn has_come(&mut self) -> bool;
}

impl<B> Held<B> {
    fn ours(bytes: Bytes) -> Self {
        Self::Ours {
            bytes: (!bytes.is_empty()).then_some(bytes),
        }
    }

    #[cfg(feature = "auth")]
    fn until(body: B, end: Box<dyn End>) -> Self {
        Self::Until {
            until: Box::pin(Until {
                body,
                ends: vec![end],
                is_over: false,
            }),
        }
    }
}

impl<B: Body<Data = Bytes>> Until<B> {
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        *this.is_over = *this.is_over || this.ends.iter_mut().any(|end| end.has_come());
        if *this.is_over {
            return Poll::Ready(None);
        }
        this.body.poll_frame(cx)
    }
}

impl<B: Body<Data = Bytes>> Body for Held<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project() {
            HeldProj::Theirs { body } => body.poll_frame(cx),
            HeldProj::Until { until } => until.as_mut().poll_frame(cx),
            HeldProj::Ours { bytes } | HeldProj::OurStream { bytes } => {
                Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Theirs { body } => body.is_end_stream(),
            Self::Until { until } => until.is_over || until.body.is_end_stream(),
            Self::Ours { bytes } | Self::OurStream { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Theirs { body } => body.size_hint(),
            Self::Until { .. } | Self::OurStream { .. } => SizeHint::default(),
            Self::Ours { bytes } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
        }
    }
}

macro_rules! delegate_body {
    ($($body:ident)*) => {$(
        impl<B: Body<Data = Bytes>> Body for $body<B> {
            type Data = Bytes;
            type Error = B::Error;

            fn poll_frame(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
                self.project().held.poll_frame(cx)
            }

            fn is_end_stream(&self) -> bool {
                self.held.is_end_stream()
            }

            fn size_hint(&self) -> SizeHint {
                self.held.size_hint()
            }
        }
    )*};
}

delegate_body!(RequestBody ResponseBody);

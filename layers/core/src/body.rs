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
            Held::Theirs { body } => Held::until(body, [end], []),
            Held::Until { mut until } => {
                until.as_mut().project().ends.push(end);
                Held::Until { until }
            }
            ours @ (Held::Ours { .. } | Held::OurStream { .. }) => ours,
        };
        Self { held }
    }

    /// The same body, which keeps a value until its service's body has ended, or it is dropped: a permit that
    /// holds for as long as the answer is under way. A text of ours keeps nothing: it is all there.
    #[must_use]
    pub fn keeping(self, kept: impl fmt::Debug + Send + Sync + 'static) -> Self {
        let kept: Kept = Box::new(kept);
        let held = match self.held {
            Held::Theirs { body } => Held::until(body, [], [kept]),
            Held::Until { mut until } => {
                until.as_mut().project().kept.push(kept);
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
    /// A body that ends when the first of these comes, and until then keeps what others wait for.
    #[derive(Debug)]
    struct Until<B> {
        #[pin]
        body: B,
        ends: Vec<Box<dyn End>>,
        kept: Vec<Kept>,
        // Once over it stays so, though a clock may be set back.
        is_over: bool,
    }
}

/// What is dropped at a body's end.
type Kept = Box<dyn Keep>;

/// What ends a body, whatever its service goes on to say.
pub(crate) trait End: fmt::Debug + Send + Sync {
    /// Asked before each frame.
    fn has_come(&mut self) -> bool;
}

trait Keep: fmt::Debug + Send + Sync {}

impl<T: fmt::Debug + Send + Sync> Keep for T {}

impl<B> Held<B> {
    fn ours(bytes: Bytes) -> Self {
        Self::Ours {
            bytes: (!bytes.is_empty()).then_some(bytes),
        }
    }

    fn until<const E: usize, const K: usize>(
        body: B,
        ends: [Box<dyn End>; E],
        kept: [Kept; K],
    ) -> Self {
        Self::Until {
            until: Box::pin(Until {
                body,
                ends: ends.into(),
                kept: kept.into(),
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
        let mut body = this.body;
        *this.is_over = *this.is_over || this.ends.iter_mut().any(|end| end.has_come());
        let frame = match *this.is_over {
            true => Poll::Ready(None),
            false => body.as_mut().poll_frame(cx),
        };
        let is_more = match &frame {
            Poll::Ready(Some(Ok(_))) => !body.is_end_stream(),
            Poll::Ready(_) => false,
            Poll::Pending => true,
        };
        if !is_more {
            this.kept.clear();
        }
        frame
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
            Self::Until { until } if until.ends.is_empty() => until.body.size_hint(),
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

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Waker,
    };

    use super::*;

    /// Counts itself while it is there.
    #[derive(Debug)]
    struct Permit(Arc<AtomicUsize>);

    impl Drop for Permit {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn permit(count: &Arc<AtomicUsize>) -> Permit {
        count.fetch_add(1, Ordering::SeqCst);
        Permit(Arc::clone(count))
    }

    /// Frames one by one; `tells_end` as `Full` does, so that nobody asks for what comes after the last.
    struct Frames {
        left: VecDeque<&'static str>,
        tells_end: bool,
    }

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let next = self.left.pop_front();
            Poll::Ready(next.map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
        }

        fn is_end_stream(&self) -> bool {
            self.tells_end && self.left.is_empty()
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.left.iter().map(|text| text.len() as u64).sum())
        }
    }

    fn frames(tells_end: bool) -> ResponseBody<Frames> {
        ResponseBody::inner(Frames {
            left: ["a", "b"].into(),
            tells_end,
        })
    }

    fn next(body: &mut ResponseBody<Frames>) -> bool {
        let polled = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Some(Ok(_))))
    }

    #[test]
    fn what_a_body_keeps_is_let_go_at_its_end_and_not_before() {
        for tells_end in [false, true] {
            let count = Arc::default();
            let mut body = frames(tells_end)
                .keeping(permit(&count))
                .keeping(permit(&count));
            assert_eq!(body.size_hint().exact(), Some(2), "the length passes");
            assert!(next(&mut body));
            assert_eq!(count.load(Ordering::SeqCst), 2);
            assert!(next(&mut body));
            let expected = if tells_end { 0 } else { 2 };
            assert_eq!(count.load(Ordering::SeqCst), expected);
            assert!(!next(&mut body));
            assert_eq!(count.load(Ordering::SeqCst), 0, "the body is still there");
        }
    }

    #[test]
    fn what_a_body_keeps_goes_with_it() {
        let count = Arc::default();
        let body = frames(false).keeping(permit(&count));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        drop(body);
        assert_eq!(count.load(Ordering::SeqCst), 0);
        drop(ResponseBody::<Frames>::refusal("no").keeping(permit(&count)));
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }
}

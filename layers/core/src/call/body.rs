use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{CallLimits, head::Head};
use crate::{Denial, DenialKind, Gathered};

pin_project! {
    /// Collects a body up to a size and within a time.
    ///
    /// A body of one frame is not copied. The clock starts only when the first byte has to be
    /// waited for, so that a body that is there costs no timer.
    pub(super) struct BodyReader<B> {
        #[pin]
        body: B,
        // In a box: few bodies are waited for.
        deadline: Option<Pin<Box<Sleep>>>,
        limits: CallLimits,
        empty_frames: u32,
        read: Gathered,
    }
}

/// Empty frames count towards no limit of bytes, and a peer could send them for ever.
const MAX_EMPTY_FRAMES: u32 = 1000;

impl<B: Body> BodyReader<B> {
    pub(super) fn new(body: B, limits: CallLimits) -> Self {
        Self {
            body,
            deadline: None,
            limits,
            empty_frames: 0,
            read: Gathered::new(),
        }
    }

    /// The whole body, if it is there. Nobody is woken if it is not: it is to be polled again.
    pub(super) fn now(self: Pin<&mut Self>) -> Poll<Result<Bytes, Denial>> {
        self.poll_frames(&mut Context::from_waker(Waker::noop()))
    }

    /// The whole body once it is there.
    pub(super) fn poll_bytes(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Denial>> {
        if let Poll::Ready(read) = self.as_mut().poll_frames(cx) {
            return Poll::Ready(read);
        }
        let this = self.project();
        let upload_time = this.limits.upload_time();
        let clock = || Box::pin(tokio::time::sleep(upload_time));
        ready!(this.deadline.get_or_insert_with(clock).as_mut().poll(cx));
        let reason = "the body did not arrive in time";
        Poll::Ready(Err(Denial::new(DenialKind::UploadTimeout, reason)))
    }

    fn poll_frames(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Bytes, Denial>> {
        let mut this = self.project();
        loop {
            let frame = match this.body.as_mut().poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => {
                    let reason = "the body ended before it was complete";
                    return Poll::Ready(Err(Denial::new(DenialKind::MessageInvalid, reason)));
                }
                Poll::Ready(None) => {
                    return Poll::Ready(Ok(this.read.take()));
                }
                Poll::Pending => return Poll::Pending,
            };
            // Trailers carry nothing that MCP uses.
            let Ok(mut data) = frame.into_data() else {
                continue;
            };
            if !data.has_remaining() {
                *this.empty_frames += 1;
                if *this.empty_frames > MAX_EMPTY_FRAMES {
                    let reason = "the body has too many empty frames";
                    return Poll::Ready(Err(Denial::new(DenialKind::MessageInvalid, reason)));
                }
                continue;
            }
            if data.remaining() > this.limits.body_bytes() - this.read.len() {
                return Poll::Ready(Err(too_large()));
            }
            this.read.push(data.copy_to_bytes(data.remaining()));
        }
    }
}

/// Reads the body of a request that is no call, JSON as a rule, within limits. What is in it, nobody looked at.
#[must_use = "futures do nothing unless polled"]
pub struct ReadBody<B>(Pin<Box<BodyReader<B>>>);

impl<B: Body> ReadBody<B> {
    /// Judges the head of a request, of which this is the body.
    ///
    /// # Errors
    ///
    /// The refusal: of a content type that is not JSON in UTF-8 or a content encoding, 415; of more bytes than
    /// the limits have, 413.
    pub fn begin(headers: &HeaderMap, body: B, limits: CallLimits) -> Result<Self, Denial> {
        let head = Head::of(headers);
        head.check_media()?;
        Self::fitting(&head, body, limits)
    }

    /// The same of a body of which the content type does not matter.
    ///
    /// # Errors
    ///
    /// The refusal: of a content encoding, 415; of more bytes than the limits have, 413.
    pub fn of_any_type(headers: &HeaderMap, body: B, limits: CallLimits) -> Result<Self, Denial> {
        let head = Head::of(headers);
        head.check_encoding()?;
        Self::fitting(&head, body, limits)
    }

    fn fitting(head: &Head<'_>, body: B, limits: CallLimits) -> Result<Self, Denial> {
        head.check_length(&limits)?;
        Ok(Self(Box::pin(BodyReader::new(body, limits))))
    }
}

impl<B: Body> Future for ReadBody<B> {
    type Output = Result<Bytes, Denial>;

    /// # Panics
    ///
    /// If the body has to be waited for outside a tokio runtime with its timer enabled.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll_bytes(cx)
    }
}

impl<B> fmt::Debug for ReadBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBody").finish_non_exhaustive()
    }
}

pub(super) fn too_large() -> Denial {
    Denial::new(DenialKind::BodyTooLarge, "the body exceeds the limit")
}

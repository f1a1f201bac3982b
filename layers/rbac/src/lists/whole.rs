use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, DenialKind, SecurityContext, refuse};
use bytes::Bytes;
use http::{Response, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;

use super::{ListBody, json::Broken, lens::Lens, media};

pin_project! {
    /// An answer in one JSON text, whose head is held back until the text is there and filtered: what
    /// cannot be becomes a refusal.
    pub(super) struct Whole<B> {
        head: Option<Parts>,
        #[pin]
        body: B,
        first: Bytes,
        // All of it, once it came in several pieces.
        joined: Vec<u8>,
        lens: Lens,
    }
}

impl<B> Whole<B> {
    pub(super) fn new(response: Response<B>, lens: Lens) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head: Some(head),
            body,
            first: Bytes::new(),
            joined: Vec::new(),
            lens,
        }
    }
}

impl<B: Body<Data = Bytes>> Whole<B> {
    pub(super) fn poll_response(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Response<ListBody<B>>> {
        let mut this = self.project();
        let bytes = loop {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                None if this.joined.is_empty() => break std::mem::take(this.first),
                None => break Bytes::from(std::mem::take(this.joined)),
                Some(Err(_)) => return Poll::Ready(refused(this.lens.context(), BROKE_OFF)),
                Some(Ok(frame)) => {
                    // Trailers describe the body that was.
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    let held = this.first.len().max(this.joined.len());
                    if held + data.len() > this.lens.rules().most_bytes {
                        return Poll::Ready(refused(this.lens.context(), TOO_LARGE));
                    }
                    if held == 0 {
                        *this.first = data;
                        continue;
                    }
                    if this.joined.is_empty() {
                        this.joined.extend_from_slice(this.first);
                    }
                    this.joined.extend_from_slice(&data);
                }
            }
        };
        let Some(mut head) = this.head.take() else {
            return Poll::Pending;
        };
        media::keep_private(&mut head.headers);
        Poll::Ready(match this.lens.see(&bytes) {
            Ok(None) => Response::from_parts(head, ListBody::ours(bytes)),
            Ok(Some(seen)) => {
                media::forget_body(&mut head.headers);
                Response::from_parts(head, ListBody::ours(seen.into()))
            }
            Err(broken) => refused(this.lens.context(), broken),
        })
    }
}

const BROKE_OFF: Broken = Broken("broke off");
const TOO_LARGE: Broken = Broken("is too large to be filtered");

/// Refuses an answer that cannot be filtered.
pub(super) fn refused<B>(context: &SecurityContext, broken: Broken) -> Response<ListBody<B>> {
    let reason = format!("the server's list {}", broken.0);
    let denial = Denial::new(DenialKind::Internal, reason);
    refuse!("rbac", context, denial).map(ListBody::refusal)
}

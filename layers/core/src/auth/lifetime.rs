use std::sync::Arc;

use http::{Method, Response, header::CONTENT_TYPE};

use super::layer::Shared;
use crate::{ResponseBody, SecurityContext};

/// How long an answer may go on: an event stream outlives its request, and must not outlive what
/// authorized it (TV-20).
pub(super) struct Lifetime {
    context: SecurityContext,
    shared: Arc<Shared>,
    is_post: bool,
}

impl Lifetime {
    /// That of a request that goes on; none if what identified its caller does not end.
    pub(super) fn of(
        method: &Method,
        context: &SecurityContext,
        shared: &Arc<Shared>,
    ) -> Option<Self> {
        context.principal()?.expires_at()?;
        Some(Self {
            context: context.clone(),
            shared: Arc::clone(shared),
            is_post: method == Method::POST,
        })
    }

    /// The answer, which ends in time if it is an event stream.
    pub(super) fn bound<B>(self, answer: Response<ResponseBody<B>>) -> Response<ResponseBody<B>> {
        let expires_at = self.context.principal().and_then(|p| p.expires_at());
        let Some(expires_at) = expires_at.filter(|_| is_event_stream(&answer)) else {
            return answer;
        };
        let end = if self.is_call() {
            expires_at.saturating_add(self.shared.call_grace)
        } else {
            expires_at
        };
        answer.map(|body| body.until(end, Arc::clone(&self.shared.clock)))
    }

    /// Whether the stream is a running call's answer, rather than one that a caller listens on.
    fn is_call(&self) -> bool {
        #[cfg(feature = "call")]
        let listens = self
            .context
            .call()
            .is_some_and(|call| call.method() == "subscriptions/listen");
        #[cfg(not(feature = "call"))]
        let listens = false;
        self.is_post && !listens
    }
}

fn is_event_stream<B>(answer: &Response<B>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.as_bytes().get(..17));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
}

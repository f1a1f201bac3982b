use std::{mem, sync::Arc, time::Duration};

use http::{Method, Response};

use super::{
    Distrust, Revocations,
    asked::{Asked, Stated},
    decide::Watched,
    layer::Shared,
};
use crate::{
    Clock, CredentialLimits, Denial, DenialKind, Media, Principal, ResponseBody, SecurityContext,
    body, refuse,
};

/// How long an answer may go on: an event stream outlives its request, and must not outlive what
/// authorized it (TV-20).
pub(super) struct Lifetime {
    context: SecurityContext,
    shared: Arc<Shared>,
    watched: Option<Watched>,
    asked: Asked,
}

impl Lifetime {
    /// That of a request that goes on; none if nothing identified its caller.
    pub(super) fn of(
        method: &Method,
        stated: &Stated,
        context: SecurityContext,
        shared: &Arc<Shared>,
        watched: Option<Watched>,
    ) -> Option<Self> {
        let principal = context.principal()?;
        (!principal.is_anonymous()).then(|| Self {
            asked: Asked::by(method, stated),
            shared: Arc::clone(shared),
            watched,
            context,
        })
    }

    /// Ends the answer in time if it is an event stream, and gives none to a credential whose limits nobody
    /// looked at.
    pub(super) fn bound<B>(self, answer: &mut Response<ResponseBody<B>>) {
        if let Some(reason) = self.forgets_limits(answer) {
            let denial = Denial::new(DenialKind::Internal, reason);
            *answer = refuse!("auth", &self.context, denial);
            return;
        }
        let principal = self.context.principal();
        let may_be_events = |_: &_| Media::of(answer.headers()).may_be_events();
        let Some(principal) = principal.filter(may_be_events) else {
            return;
        };
        let is_call = self.is_call();
        let grace = if is_call {
            self.shared.call_grace
        } else {
            Duration::ZERO
        };
        // A credential without an end may have been withdrawn meanwhile where nobody tells us.
        let unlimited = || {
            let now = self.shared.clock.wall();
            now.saturating_add(self.shared.max_stream_age)
        };
        let at = principal.accepted_until().unwrap_or_else(unlimited);
        let end = End {
            at: at.saturating_add(grace),
            clock: Arc::clone(&self.shared.clock),
            watch: self.watched.clone().map(|(list, principal)| Watch {
                list,
                principal,
                seen: None,
                is_call,
            }),
        };
        let body = mem::take(answer.body_mut());
        *answer.body_mut() = body.until(Box::new(end));
    }

    /// Of a refusal of a layer in between it is not known, and an error tells little.
    fn forgets_limits<B>(&self, answer: &Response<B>) -> Option<&'static str> {
        let principal = self
            .context
            .principal()
            .filter(|p| !p.limits().is_empty())?;
        if answer.status().is_client_error() || answer.extensions().get::<Denial>().is_some() {
            return None;
        }
        let names_calls = principal.limits().iter().any(CredentialLimits::names_calls);
        if names_calls && !self.context.limits_are_judged() {
            return Some(
                "no layer judged by the limits of the credential: is there one of authorization inside?",
            );
        }
        let is_rated = principal.rate().is_some();
        (is_rated && !self.context.rate_is_judged()).then_some(
            "no layer counted by the rate of the credential: is there one of rate limits inside?",
        )
    }

    /// Whether the stream is a running call's answer, rather than one that a caller listens on.
    fn is_call(&self) -> bool {
        #[cfg(feature = "call")]
        let listens = self
            .context
            .call()
            .map(|call| call.method() == super::asked::LISTEN);
        #[cfg(not(feature = "call"))]
        let listens = None;
        match self.asked {
            Asked::Listen => false,
            Asked::Call => listens != Some(true),
            Asked::Either => listens == Some(false),
        }
    }
}

/// When a stream ends.
#[derive(Debug)]
struct End {
    /// By the wall clock.
    at: Duration,
    clock: Arc<dyn Clock>,
    watch: Option<Watch>,
}

impl body::End for End {
    fn has_come(&mut self) -> bool {
        self.clock.wall() >= self.at || self.watch.as_mut().is_some_and(Watch::is_over)
    }
}

/// Looks whether what identified a stream's caller was revoked since.
#[derive(Debug)]
struct Watch {
    list: Revocations,
    principal: Principal,
    /// The state of the list in which it was not revoked; at first none, since a revocation may have
    /// come between the request's judgement and its answer.
    seen: Option<u64>,
    is_call: bool,
}

impl Watch {
    fn is_over(&mut self) -> bool {
        // Read first: what comes in between is seen at the next frame.
        let state = self.list.state();
        let is_known = self.is_call || self.list.is_in_touch();
        if is_known && self.seen == Some(state) {
            return false;
        }
        match self.list.judge(&self.principal) {
            Err(Distrust::Revoked(_)) => true,
            // What a call does was decided when it began.
            Err(Distrust::OutOfTouch) => !self.is_call,
            Ok(()) => {
                self.seen = Some(state);
                false
            }
        }
    }
}

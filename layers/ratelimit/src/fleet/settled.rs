use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, call::Pending};
use tokio::runtime::Handle;

use super::link::Link;
use crate::Told;

/// A decision that is made though its request is given up meanwhile.
///
/// What this process keeps is charged before Redis is asked. Who gives up in between would leave it so whatever Redis
/// says, and by requests that it refuses take what others have here.
pub(super) struct Settled {
    link: Arc<Link>,
    /// None once it is made.
    decision: Option<Pending<Told>>,
}

impl Settled {
    pub(super) fn new(link: Arc<Link>, decision: Pending<Told>) -> Self {
        Self {
            link,
            decision: Some(decision),
        }
    }
}

impl Future for Settled {
    type Output = Result<Told, Denial>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(decision) = &mut self.decision else {
            // Polled after it completed, which the contract of `Future` forbids.
            return Poll::Pending;
        };
        let decided = ready!(decision.as_mut().poll(cx));
        self.decision = None;
        Poll::Ready(decided)
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        if let Some(decision) = self.decision.take()
            && let Ok(runtime) = Handle::try_current()
        {
            self.link.leave_behind(&runtime, decision);
        }
    }
}

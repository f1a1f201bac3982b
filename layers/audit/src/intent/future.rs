use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bartizan_core::{GuardFuture, ResponseBody, SecurityContext, admit};
use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::refused;
use crate::Durable;

pin_project! {
    /// The future of [`Intent`](super::Intent).
    #[must_use = "futures do nothing unless polled"]
    pub struct IntentFuture<S, ReqB, ResB>
    where
        S: Service<Request<ReqB>>,
    {
        #[pin]
        state: State<S, ReqB, S::Future, ResB>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, F, ResB> {
        // In a box: few calls wait, and the futures of all others would be as large.
        Waiting { waiting: Box<Waiting<S, ReqB>> },
        Decided { #[pin] guard: GuardFuture<F, ResB> },
    }
}

/// A request whose intent is not durable yet.
pub(super) struct Waiting<S, ReqB> {
    durable: Durable,
    patience: Duration,
    /// Made once it has to wait.
    end: Option<Pin<Box<Sleep>>>,
    service: S,
    request: Option<Request<ReqB>>,
    context: SecurityContext,
}

impl<S, ReqB> Waiting<S, ReqB> {
    pub(super) fn new(
        durable: Durable,
        patience: Duration,
        service: S,
        request: Request<ReqB>,
        context: SecurityContext,
    ) -> Self {
        Self {
            durable,
            patience,
            end: None,
            service,
            request: Some(request),
            context,
        }
    }

    /// Whether the intent is durable; an error says why not.
    fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        if let Poll::Ready(durable) = Pin::new(&mut self.durable).poll(cx) {
            let lost = |_| "the record of what is intended did not become durable";
            return Poll::Ready(durable.map_err(lost));
        }
        let patience = self.patience;
        let new = || Box::pin(tokio::time::sleep(patience));
        ready!(self.end.get_or_insert_with(new).as_mut().poll(cx));
        Poll::Ready(Err(
            "the record of what is intended did not become durable in time",
        ))
    }
}

impl<S: Service<Request<ReqB>>, ReqB, ResB> IntentFuture<S, ReqB, ResB> {
    pub(super) fn decided(guard: GuardFuture<S::Future, ResB>) -> Self {
        Self {
            state: State::Decided { guard },
        }
    }

    pub(super) fn waiting(waiting: Waiting<S, ReqB>) -> Self {
        let waiting = Box::new(waiting);
        Self {
            state: State::Waiting { waiting },
        }
    }
}

impl<S, ReqB, ResB> Future for IntentFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    type Output = Result<Response<ResponseBody<ResB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let guard = match state.as_mut().project() {
                StateProj::Decided { guard } => return guard.poll(cx),
                StateProj::Waiting { waiting } => {
                    let durable = ready!(waiting.poll_durable(cx));
                    match (durable, waiting.request.take()) {
                        (Ok(()), Some(request)) => {
                            admit!("intent", &waiting.context, "intent_recorded");
                            GuardFuture::forward(waiting.service.call(request))
                        }
                        (Err(reason), _) => GuardFuture::refuse(refused(&waiting.context, reason)),
                        (Ok(()), None) => return Poll::Pending,
                    }
                }
            };
            state.set(State::Decided { guard });
        }
    }
}

impl<S: Service<Request<ReqB>>, ReqB, ResB> fmt::Debug for IntentFuture<S, ReqB, ResB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntentFuture").finish_non_exhaustive()
    }
}

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{Call, RequestBody, SecurityContext};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::watch::Receiver,
    time::{Instant, Sleep, sleep, timeout_at},
};
use tower_service::Service;

use super::{
    Found, Known,
    ask::Asker,
    asks::{Asking, Caller, Turn},
    list::{NoPage, Page},
    read::Answer,
};

/// A call that waits for what is known of its tool.
///
/// Of all that wait one asks; when its caller goes away, is refused the list or gets it slowly, another does. What is left of the call is what it came
/// with, and the service, which may have been used for asking.
pub(crate) struct Learn<S, B, F, ResB> {
    known: Arc<Known>,
    pub(crate) service: S,
    pub(crate) request: Option<Request<RequestBody<B>>>,
    asker: Asker,
    tool: Box<str>,
    late: Pin<Box<Sleep>>,
    stage: Stage<F, ResB>,
    /// By what this caller is known.
    caller: Caller,
    asking: Option<Asking>,
    /// How often the list had changed when it was asked for.
    changes: u64,
    pages: Vec<Page>,
    bytes: usize,
    is_ready: bool,
}

enum Stage<F, ResB> {
    /// Until somebody is done who asks.
    Wait(Pin<Box<dyn Future<Output = Receiver<()>> + Send + Sync>>),
    Look(Receiver<()>),
    Ask {
        cursor: Option<Box<str>>,
    },
    Asked {
        answer: Pin<Box<F>>,
        id: String,
    },
    Read(Answer<ResB>),
    /// Until the service can be called again.
    End(Option<Outcome>),
}

/// How the waiting ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Found(Found),
    /// Nobody knows, for this reason.
    Failed(NoPage),
}

impl<S, B, F, ResB> Learn<S, B, F, ResB> {
    /// `service` was polled ready.
    pub(crate) fn new(
        known: Arc<Known>,
        service: S,
        request: Request<RequestBody<B>>,
        call: &Call,
        context: &SecurityContext,
    ) -> Self {
        Self {
            asker: Asker::of(&request, call, context),
            late: Box::pin(sleep(known.how.time)),
            stage: Stage::Look(known.asks.watch()),
            caller: known.asks.key(context, request.headers()),
            asking: None,
            changes: 0,
            tool: call.name().unwrap_or_default().into(),
            known,
            service,
            request: Some(request),
            pages: Vec::new(),
            bytes: 0,
            is_ready: true,
        }
    }
}

impl<S, B, ResB> Learn<S, B, S::Future, ResB>
where
    S: Service<Request<RequestBody<B>>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes>,
{
    /// Once it is over, the service is ready. An error is one of its readiness.
    pub(crate) fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outcome, S::Error>> {
        loop {
            let is_over = matches!(self.stage, Stage::End(_));
            if !is_over && self.late.as_mut().poll(cx).is_ready() {
                self.give_up(NoPage("did not come in time"));
            }
            match &mut self.stage {
                Stage::Wait(ended) => self.stage = Stage::Look(ready!(ended.as_mut().poll(cx))),
                Stage::Look(ended) => {
                    // Whoever asked before may have learned enough.
                    match self.known.find_fresh(&self.tool, || self.caller) {
                        Found::Ask => {}
                        found => {
                            self.stage = Stage::End(Some(Outcome::Found(found)));
                            continue;
                        }
                    }
                    let again = self.known.again();
                    match self.known.asks.turn(self.caller, again) {
                        Turn::Ask(asking) => {
                            self.asking = Some(asking);
                            self.changes = self.known.changes();
                            self.stage = Stage::Ask { cursor: None };
                        }
                        Turn::Wait(until) => {
                            self.stage = Stage::Wait(Box::pin(end_of_one(ended.clone(), until)));
                        }
                        Turn::Failed(why) => self.end(why),
                    }
                }
                Stage::Ask { cursor } => {
                    if !self.is_ready {
                        ready!(self.service.poll_ready(cx))?;
                    }
                    let (request, id) = self.asker.ask(cursor.as_deref());
                    self.is_ready = false;
                    let answer = Box::pin(self.service.call(request));
                    self.stage = Stage::Asked { answer, id };
                }
                Stage::Asked { answer, id } => {
                    let response = match ready!(answer.as_mut().poll(cx)) {
                        Ok(response) => response,
                        Err(_) => {
                            self.give_up(NoPage("failed"));
                            continue;
                        }
                    };
                    let most = self.known.how.bytes.saturating_sub(self.bytes);
                    match Answer::of(response, std::mem::take(id), most) {
                        Ok(answer) => self.stage = Stage::Read(answer),
                        Err(why) => self.give_up(why),
                    }
                }
                Stage::Read(answer) => match ready!(answer.poll_page(cx, &self.known)) {
                    Ok((page, bytes)) => self.take(page, bytes),
                    Err(why) => self.give_up(why),
                },
                Stage::End(outcome) => {
                    if !self.is_ready {
                        ready!(self.service.poll_ready(cx))?;
                        self.is_ready = true;
                    }
                    return match outcome.take() {
                        Some(outcome) => Poll::Ready(Ok(outcome)),
                        // Polled after it completed.
                        None => Poll::Pending,
                    };
                }
            }
        }
    }

    fn take(&mut self, mut page: Page, bytes: usize) {
        let cursor = page.cursor.take();
        self.bytes += bytes;
        let seen = self
            .pages
            .iter()
            .map(|page| page.tools.len())
            .sum::<usize>();
        let tools = seen + page.tools.len();
        self.pages.push(page);
        let how = &self.known.how;
        match cursor {
            _ if tools > how.tools => self.give_up(NoPage("has too many tools")),
            Some(_) if self.pages.len() >= how.pages => {
                self.give_up(NoPage("has too many pages"));
            }
            Some(cursor) => {
                let cursor = Some(cursor);
                self.stage = Stage::Ask { cursor };
            }
            None => {
                self.known
                    .learn(std::mem::take(&mut self.pages), self.changes);
                if let Some(asking) = self.asking.take() {
                    asking.end(None);
                }
                let found = self.known.find_learned(&self.tool);
                self.stage = Stage::End(Some(Outcome::Found(found)));
            }
        }
    }

    /// The asking failed.
    fn give_up(&mut self, why: NoPage) {
        if let Some(asking) = self.asking.take() {
            asking.end(Some(why));
            self.known.tell_failure(why);
        }
        self.end(why);
    }

    /// What was known before may still do.
    fn end(&mut self, why: NoPage) {
        let stale = self.known.find_stale(&self.tool);
        let outcome = stale.map_or(Outcome::Failed(why), Outcome::Found);
        self.stage = Stage::End(Some(outcome));
    }
}

/// Until somebody's asking ended since the receiver looked, or the time came.
async fn end_of_one(mut ended: Receiver<()>, until: Option<Instant>) -> Receiver<()> {
    let changed = ended.changed();
    // The sender lives as long as who waits.
    let _ = match until {
        Some(until) => timeout_at(until, changed).await.unwrap_or(Ok(())),
        None => changed.await,
    };
    ended
}

impl<S, B, F, ResB> fmt::Debug for Learn<S, B, F, ResB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learn")
            .field("tool", &self.tool)
            .finish_non_exhaustive()
    }
}

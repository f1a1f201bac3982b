use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bartizan_core::{
    Denial, DenialKind, Gathered, Media, ResponseBody, SecurityContext, admit, refuse,
};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::CONTENT_LENGTH, response::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    TaskBody, Unclaimed,
    answer::{Fate, Judging, Reads, Watch, unreadable},
    requests::owned,
};

pin_project! {
    /// The future of [`OwnedTasks`](super::OwnedTasks).
    #[must_use = "futures do nothing unless polled"]
    pub struct TaskFuture<S, ReqB, ResB>
    where
        S: Service<Request<ReqB>>,
    {
        #[pin]
        state: State<S, ReqB, ResB, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, ReqB, ResB, F> {
        Ask { asking: Box<Asking<S, ReqB>> },
        Forward { #[pin] inner: F, watch: Option<Watch> },
        Collect { #[pin] body: ResB, message: Option<Box<Message>> },
        Judge { message: Box<Message>, judging: Judging },
        Done { response: Option<Answer<ResB>> },
    }
}

type Answer<B> = Response<ResponseBody<TaskBody<B>>>;

type Asked = Pin<Box<dyn Future<Output = Result<Vec<bool>, Unclaimed>> + Send>>;

/// A request that waits for a store to say whose its tasks are.
struct Asking<S, ReqB> {
    reply: Asked,
    service: S,
    request: Option<Request<ReqB>>,
    context: SecurityContext,
    watch: Option<Watch>,
}

/// An answer that is one JSON message, while it comes in.
struct Message {
    head: Option<Parts>,
    watch: Watch,
    gathered: Gathered,
    /// All of it, once it is there.
    whole: Bytes,
    trailers: Option<HeaderMap>,
}

impl<S, ReqB, ResB> TaskFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>>,
{
    pub(crate) fn refuse(context: &SecurityContext, denial: Denial) -> Self {
        Self {
            state: State::done(refuse!("tasks", context, denial)),
        }
    }

    pub(crate) fn forward(inner: S::Future, watch: Option<Watch>) -> Self {
        Self {
            state: State::Forward { inner, watch },
        }
    }

    pub(crate) fn ask(
        reply: Asked,
        service: S,
        request: Request<ReqB>,
        context: SecurityContext,
        watch: Option<Watch>,
    ) -> Self {
        let asking = Box::new(Asking {
            reply,
            service,
            request: Some(request),
            context,
            watch,
        });
        Self {
            state: State::Ask { asking },
        }
    }
}

impl<S, ReqB, ResB, F> State<S, ReqB, ResB, F> {
    fn done(response: Answer<ResB>) -> Self {
        Self::Done {
            response: Some(response),
        }
    }
}

impl<S, ReqB, ResB> Future for TaskFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    ResB: Body<Data = Bytes>,
{
    type Output = Result<Answer<ResB>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Ask { asking } => {
                    let reply = ready!(asking.reply.as_mut().poll(cx));
                    asking.go_on(reply)
                }
                StateProj::Forward { inner, watch } => {
                    let response = ready!(inner.poll(cx))?;
                    answered(response, watch.take())
                }
                StateProj::Collect { body, message } => {
                    let Some(collecting) = message else {
                        return Poll::Pending;
                    };
                    let collected = ready!(collecting.poll_collect(body, cx));
                    match (collected, message.take()) {
                        (Ok(()), Some(mut message)) => State::Judge {
                            judging: message.judge(),
                            message,
                        },
                        (Err(denial), Some(message)) => State::done(message.refuse(denial)),
                        (_, None) => return Poll::Pending,
                    }
                }
                StateProj::Judge { message, judging } => {
                    let fate = ready!(judging.poll(cx));
                    State::done(message.settle(fate))
                }
                StateProj::Done { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response)),
                        // Polled after it completed, which the contract of `Future` forbids.
                        None => Poll::Pending,
                    };
                }
            };
            state.set(next);
        }
    }
}

impl<S, ReqB> Asking<S, ReqB> {
    fn go_on<ResB>(
        &mut self,
        reply: Result<Vec<bool>, Unclaimed>,
    ) -> State<S, ReqB, ResB, S::Future>
    where
        S: Service<Request<ReqB>>,
    {
        match (owned(reply), self.request.take()) {
            (Ok(()), Some(request)) => {
                admit!("tasks", &self.context, "task_owned");
                State::Forward {
                    inner: self.service.call(request),
                    watch: self.watch.take(),
                }
            }
            (Err(denial), _) => State::done(refuse!("tasks", &self.context, denial)),
            (Ok(()), None) => State::Done { response: None },
        }
    }
}

/// How an answer goes on: as it is, event by event, or once it is there as a whole.
fn answered<S, ReqB, ResB, F>(
    response: Response<ResB>,
    watch: Option<Watch>,
) -> State<S, ReqB, ResB, F>
where
    ResB: Body<Data = Bytes>,
{
    let Some(watch) = watch else {
        return State::done(response.map(|body| ResponseBody::inner(TaskBody::inner(body))));
    };
    let (mut head, body) = response.into_parts();
    let length = body.size_hint().exact();
    let fits = length.is_some_and(|length| length <= watch.rules.answer_bytes as u64);
    let is_plain = Media::is_plain(&head.headers);
    let media = Media::of(&head.headers);
    let may_list = match watch.reads {
        reads if reads.passes_long() => false,
        Reads::List => true,
        _ => media.may_be_events(),
    };
    match media {
        Media::EventStream if is_plain => {
            head.headers.remove(CONTENT_LENGTH);
            let body = TaskBody::stream(body, watch);
            State::done(Response::from_parts(head, ResponseBody::inner(body)))
        }
        Media::Json if is_plain && fits => State::Collect {
            body,
            message: Some(Box::new(Message {
                head: Some(head),
                watch,
                gathered: Gathered::new(),
                whole: Bytes::new(),
                trailers: None,
            })),
        },
        // A list that nobody read would tell of others' tasks.
        _ if may_list && head.status.is_success() && length != Some(0) => {
            State::done(refuse!("tasks", &watch.context, unreadable()))
        }
        _ => {
            let body = ResponseBody::inner(TaskBody::inner(body));
            State::done(Response::from_parts(head, body))
        }
    }
}

impl Message {
    fn poll_collect<B: Body<Data = Bytes>>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Denial>> {
        loop {
            let frame = match ready!(body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Err(broken())),
                None => return Poll::Ready(Ok(())),
            };
            match frame.into_data() {
                Ok(data) => {
                    let length = self.gathered.len() + data.len();
                    if length > self.watch.rules.answer_bytes {
                        return Poll::Ready(Err(broken()));
                    }
                    self.gathered.push(data);
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
        }
    }

    fn judge(&mut self) -> Judging {
        self.whole = self.gathered.take();
        self.watch.judge(&self.whole)
    }

    fn settle<B>(&mut self, fate: Fate) -> Answer<B> {
        let bytes = match fate {
            Fate::Pass => std::mem::take(&mut self.whole),
            Fate::Replace(message) => {
                if let Some(head) = &mut self.head {
                    head.headers.remove(CONTENT_LENGTH);
                }
                message.into()
            }
            Fate::Refuse(denial) => return self.refuse(denial),
        };
        match self.head.take() {
            Some(head) => {
                let body = TaskBody::message(bytes, self.trailers.take());
                Response::from_parts(head, ResponseBody::inner(body))
            }
            None => self.refuse(broken()),
        }
    }

    fn refuse<B>(&self, denial: Denial) -> Answer<B> {
        refuse!("tasks", &self.watch.context, denial)
    }
}

fn broken() -> Denial {
    let reason = "the inner service's answer is not as long as it told";
    Denial::new(DenialKind::Internal, reason)
}

impl<S, ReqB, ResB> fmt::Debug for TaskFuture<S, ReqB, ResB>
where
    S: Service<Request<ReqB>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFuture").finish_non_exhaustive()
    }
}

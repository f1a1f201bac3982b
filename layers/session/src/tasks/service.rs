use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use bartizan_core::{ResponseBody, SecurityContext, admit, call::CallGuard};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    Reply, TaskBody, TaskFuture, TaskRules,
    requests::{Rules, owned},
};

/// The service of [`TaskOwnerLayer`](super::TaskOwnerLayer).
pub type TaskOwner<S> = CallGuard<OwnedTasks<S>, TaskRules>;

/// The part of [`TaskOwner`] that knows the call.
#[derive(Debug, Clone)]
pub struct OwnedTasks<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> OwnedTasks<S> {
    pub(crate) fn new(inner: S, rules: Arc<Rules>) -> Self {
        Self { inner, rules }
    }

    bartizan_core::inner_accessors!();
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for OwnedTasks<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ResB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<TaskBody<ResB>>>;
    type Error = S::Error;
    type Future = TaskFuture<S, ReqB, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqB>) -> Self::Future {
        let context = SecurityContext::of(&mut request);
        let admitted = match self.rules.admit(&context) {
            Ok(admitted) => admitted,
            Err(denial) => return TaskFuture::refuse(&context, denial),
        };
        let Some((tasks, owner)) = admitted.named else {
            admit!("tasks", &context, "no_task");
            return TaskFuture::forward(self.inner.call(request), admitted.watch);
        };
        match self.rules.owners.owned(tasks, owner) {
            Reply::Now(reply) => match owned(reply) {
                Ok(()) => {
                    admit!("tasks", &context, "task_owned");
                    TaskFuture::forward(self.inner.call(request), admitted.watch)
                }
                Err(denial) => TaskFuture::refuse(&context, denial),
            },
            Reply::Later(reply) => {
                // The service that was polled ready must be the one that is called.
                let clone = self.inner.clone();
                let service = mem::replace(&mut self.inner, clone);
                TaskFuture::ask(reply, service, request, context, admitted.watch)
            }
        }
    }
}

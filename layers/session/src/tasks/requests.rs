use std::{sync::Arc, time::Duration};

use bartizan_core::{CallKind, CallLimits, Denial, DenialKind, SecurityContext, call::Subject};

use super::{
    OwnerKey, TaskKey, TaskOwners, Unclaimed,
    answer::{Reads, Watch},
    message,
};
use crate::incoming::nobody;

/// What tasks are judged by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) owners: Arc<dyn TaskOwners>,
    pub(crate) anonymous: bool,
    pub(crate) lifetime: Duration,
    pub(crate) answer_bytes: usize,
    pub(crate) limits: CallLimits,
}

/// A request that may go on, once its tasks turn out to be its principal's.
pub(crate) struct Admitted {
    /// The tasks that it names, and whose they have to be.
    pub(crate) named: Option<(Vec<TaskKey>, OwnerKey)>,
    /// What its answer is read for.
    pub(crate) watch: Option<Watch>,
}

impl Rules {
    pub(crate) fn admit(self: &Arc<Self>, context: &SecurityContext) -> Result<Admitted, Denial> {
        let Some(call) = context.call() else {
            return Err(Denial::new(DenialKind::Internal, "the call was not read"));
        };
        let Some(principal) = context.principal() else {
            let reason = "no principal: an authentication layer has to stand outside this one";
            return Err(Denial::new(DenialKind::Forbidden, reason));
        };
        let is_bindable = self.anonymous || !principal.is_anonymous();
        let owner = is_bindable.then(|| OwnerKey::of(principal));
        let (tasks, reads) = match (call.kind(), call.method(), call.subject(), call.name()) {
            (CallKind::Stream, ..) => (Vec::new(), Some(Reads::Any)),
            (_, _, Some(Subject::Task), Some(task)) => (vec![task.to_owned()], Some(Reads::Task)),
            (_, "subscriptions/listen", ..) => {
                let tasks = message::subscribed(call.params().unwrap_or("{}"));
                let tasks = tasks.ok_or_else(|| {
                    Denial::new(DenialKind::ParamsInvalid, "the tasks of a subscription")
                })?;
                (tasks, Some(Reads::Task))
            }
            (_, "tools/call", ..) => (Vec::new(), Some(Reads::Call)),
            (_, "tasks/list", ..) if owner.is_none() => return Err(nobody(context)),
            (_, "tasks/list", ..) => (Vec::new(), Some(Reads::List)),
            (_, method, ..) if method.starts_with("tasks/") => {
                let reason = "a method on tasks that this layer does not know";
                return Err(Denial::new(DenialKind::Forbidden, reason));
            }
            (CallKind::Request, ..) => (Vec::new(), Some(Reads::Other)),
            _ => (Vec::new(), None),
        };
        let watch = reads.map(|reads| Watch {
            rules: Arc::clone(self),
            context: context.clone(),
            owner,
            reads,
        });
        let named = named(&tasks, owner, context)?;
        Ok(Admitted { named, watch })
    }

    /// How long it is remembered whose a task is that says this of itself. Its result may be asked for
    /// some time after it is over.
    pub(crate) fn life(&self, says: Option<Duration>) -> Duration {
        let says = says.map(|life| life.saturating_mul(2).max(life.saturating_add(AFTERLIFE)));
        says.unwrap_or(self.lifetime).min(self.lifetime)
    }
}

const AFTERLIFE: Duration = Duration::from_secs(3600);

fn named(
    tasks: &[String],
    owner: Option<OwnerKey>,
    context: &SecurityContext,
) -> Result<Option<(Vec<TaskKey>, OwnerKey)>, Denial> {
    match (tasks, owner) {
        ([], _) => Ok(None),
        (_, None) => Err(nobody(context)),
        (tasks, Some(owner)) => {
            let keys = tasks.iter().map(|id| TaskKey::of(id)).collect();
            Ok(Some((keys, owner)))
        }
    }
}

/// What a store said of the tasks that a request names: all are the caller's, or it does not go on.
pub(crate) fn owned(reply: Result<Vec<bool>, Unclaimed>) -> Result<(), Denial> {
    match reply {
        Ok(owned) if !owned.is_empty() && owned.iter().all(|is_own| *is_own) => Ok(()),
        // The same of a task that is another's and of one that is nobody's.
        Ok(_) => Err(Denial::new(
            DenialKind::TaskUnknown,
            "the task is not known to be this principal's",
        )),
        Err(unclaimed) => Err(denial(unclaimed)),
    }
}

/// Why an answer does not leave that begins a task.
pub(crate) fn denial(unclaimed: Unclaimed) -> Denial {
    match unclaimed {
        Unclaimed::Taken => Denial::new(
            DenialKind::Internal,
            "the inner service gave out the id of a task that is another principal's",
        ),
        Unclaimed::Share(wait) => {
            let reason = "the principal has as many tasks as one may have";
            Denial::new(DenialKind::RateLimited, reason)
                .with_message("too many tasks")
                .with_retry_after(wait)
        }
        Unclaimed::Full => Denial::new(DenialKind::Unavailable, "no room for the owner of a task"),
        Unclaimed::Down => Denial::new(DenialKind::Unavailable, "the store of task owners is down"),
    }
}

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bartizan_core::{Denial, DenialKind, ResponseBody, SecurityContext, refuse};
use http::Response;

use super::{
    OwnerKey, Reply, TaskKey, Unclaimed,
    message::{self, Listed, Said},
    requests::{Rules, denial},
};

/// What the answer to a request is read for.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) rules: Arc<Rules>,
    pub(crate) context: SecurityContext,
    /// Whose the tasks are that it begins; `None` if nobody's can be.
    pub(crate) owner: Option<OwnerKey>,
    pub(crate) reads: Reads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// For a task that a call began, and for a list: a server may find where an answer goes by the
    /// request's id, and callers choose that.
    Call,
    /// For such a list alone, in the answer about a task.
    Task,
    /// For such a list alone, in the answer to a request that is about none.
    Other,
    /// For a list of tasks, which is filtered.
    List,
    /// For either: a stream may go on with an answer that was interrupted.
    Any,
}

impl Reads {
    /// Whether what is too long to be read may name a task, and begin none for anybody.
    pub(crate) fn passes_long(self) -> bool {
        matches!(self, Self::Call | Self::Task)
    }
}

/// What becomes of a message.
pub(crate) enum Fate {
    Pass,
    Replace(Vec<u8>),
    Refuse(Denial),
}

/// A message whose fate may depend on a store.
pub(crate) enum Judging {
    Known(Option<Fate>),
    Claim(Later<()>),
    Filter(Option<Listed>, Later<Vec<bool>>),
}

type Later<T> = Pin<Box<dyn Future<Output = Result<T, Unclaimed>> + Send>>;

impl Watch {
    /// Judges one whole message.
    pub(crate) fn judge(&self, message: &[u8]) -> Judging {
        // What is not sure to be a list can't be one without a task in it.
        if self.reads != Reads::List && !message::names_a_task(message) {
            return Judging::Known(Some(Fate::Pass));
        }
        let said = match self.reads {
            Reads::Call | Reads::Any => message::of_any(message),
            Reads::Task | Reads::Other => message::of_other(message),
            Reads::List => message::of_list(message),
        };
        match said {
            Said::Nothing => Judging::Known(Some(Fate::Pass)),
            Said::Unclear => Judging::Known(Some(Fate::Refuse(unreadable()))),
            Said::Begun(begun) => {
                let Some(owner) = self.owner else {
                    let denial = crate::incoming::nobody(&self.context);
                    return Judging::Known(Some(Fate::Refuse(denial)));
                };
                let (task, life) = (TaskKey::of(&begun.id), self.rules.life(begun.life));
                match self.rules.owners.claim(task, owner, life) {
                    Reply::Now(claimed) => Judging::Known(Some(of_claim(claimed))),
                    Reply::Later(claim) => Judging::Claim(claim),
                }
            }
            Said::Listed(listed) => {
                let Some(owner) = self.owner else {
                    return Judging::Known(Some(of_list(listed, Ok(Vec::new()))));
                };
                let tasks = listed.ids.iter().map(|id| TaskKey::of(id)).collect();
                match self.rules.owners.owned(tasks, owner) {
                    Reply::Now(owned) => Judging::Known(Some(of_list(listed, owned))),
                    Reply::Later(owned) => Judging::Filter(Some(listed), owned),
                }
            }
        }
    }

    /// Logs and records a refusal that takes a message's place in a stream.
    pub(crate) fn refuse(&self, denial: &Denial) {
        let _: Response<ResponseBody<()>> = refuse!("tasks", &self.context, denial.clone());
    }
}

impl Judging {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fate> {
        Poll::Ready(match self {
            Self::Known(fate) => fate.take().unwrap_or(Fate::Refuse(unreadable())),
            Self::Claim(claim) => of_claim(ready!(claim.as_mut().poll(cx))),
            Self::Filter(listed, owned) => {
                let owned = ready!(owned.as_mut().poll(cx));
                match listed.take() {
                    Some(listed) => of_list(listed, owned),
                    None => Fate::Refuse(unreadable()),
                }
            }
        })
    }
}

fn of_claim(claimed: Result<(), Unclaimed>) -> Fate {
    match claimed {
        Ok(()) => Fate::Pass,
        Err(unclaimed) => Fate::Refuse(denial(unclaimed)),
    }
}

fn of_list(listed: Listed, owned: Result<Vec<bool>, Unclaimed>) -> Fate {
    match owned.map(|owned| listed.filtered(&owned)) {
        Ok(Some(message)) => Fate::Replace(message),
        Ok(None) => Fate::Refuse(unreadable()),
        Err(unclaimed) => Fate::Refuse(denial(unclaimed)),
    }
}

pub(crate) fn unreadable() -> Denial {
    Denial::new(
        DenialKind::Internal,
        "what the inner service says of tasks can't be read, or is too long",
    )
}

use std::{fmt, sync::Arc, time::Duration};

use bartizan_core::{
    Call, CallLimits, Denial, ResponseBody, SecurityContext,
    call::{CallGuard, JudgeCall},
    refuse,
};
use http::{HeaderMap, Response};
use tower_layer::Layer;

use super::{MemoryOwners, OwnedTasks, TaskOwner, TaskOwners, requests::Rules};
use crate::SessionConfigError;

/// Binds tasks to the principals whose calls began them (SE-6, TA-9).
///
/// It goes inside authentication and reads the call if no layer outside did; the inner service
/// receives `Request<RequestBody<B>>`. The [crate's documentation](crate) says what it decides. Clones are
/// cheap, and share the owners.
#[derive(Debug, Clone)]
#[must_use]
pub struct TaskOwnerLayer {
    rules: Arc<Rules>,
}

impl TaskOwnerLayer {
    /// Shortest and longest time that an owner is remembered: a minute, and 30 days.
    pub const LIFETIMES: [Duration; 2] =
        [Duration::from_secs(60), Duration::from_secs(30 * 24 * 3600)];

    /// Least and most bytes of an answer that are read as one message: 1 KiB, and 64 MiB.
    pub const ANSWER_BYTES: [usize; 2] = [1 << 10, 64 << 20];

    /// A layer that keeps owners there: [`MemoryOwners`], or what several nodes share.
    pub fn new(owners: impl TaskOwners) -> Self {
        Self {
            rules: Arc::new(Rules {
                owners: Arc::new(owners),
                anonymous: false,
                lifetime: Duration::from_secs(24 * 3600),
                answer_bytes: 1 << 20,
                limits: CallLimits::new(),
            }),
        }
    }

    /// A layer for one node: it keeps owners in memory.
    pub fn in_memory() -> Self {
        Self::new(MemoryOwners::new())
    }

    /// How long it is remembered at most whose a task is: a day unless set. Less where the task says
    /// when it ends; then for an hour after that.
    ///
    /// # Errors
    ///
    /// Outside [`LIFETIMES`](Self::LIFETIMES).
    pub fn lifetime(self, lifetime: Duration) -> Result<Self, SessionConfigError> {
        let [least, most] = Self::LIFETIMES;
        if !(least..=most).contains(&lifetime) {
            let problem = "is not between a minute and 30 days";
            let value = format!("{lifetime:?}");
            return Err(SessionConfigError::new("lifetime", value, problem));
        }
        Ok(self.with(|rules| rules.lifetime = lifetime))
    }

    /// How much of an answer is held at a time, in bytes: 1 MiB unless set.
    ///
    /// A task that a longer answer begins opens for nobody; a longer list of tasks is refused.
    ///
    /// # Errors
    ///
    /// Outside [`ANSWER_BYTES`](Self::ANSWER_BYTES).
    pub fn answer_bytes(self, bytes: usize) -> Result<Self, SessionConfigError> {
        let [least, most] = Self::ANSWER_BYTES;
        if !(least..=most).contains(&bytes) {
            let problem = "is not between 1 KiB and 64 MiB";
            return Err(SessionConfigError::new(
                "answer_bytes",
                bytes.to_string(),
                problem,
            ));
        }
        Ok(self.with(|rules| rules.answer_bytes = bytes))
    }

    /// What a call may measure (IV-6, IV-7). By default [`CallLimits::new`].
    pub fn call_limits(self, limits: CallLimits) -> Self {
        self.with(|rules| rules.limits = limits)
    }

    /// Also gives tasks to callers that sent no credential, where authentication lets them pass.
    ///
    /// All of them are one principal, so whoever learns the id of such a task may read and cancel it,
    /// and each of them sees all of them in a list.
    pub fn danger_allow_anonymous(self) -> Self {
        self.with(|rules| rules.anonymous = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Rules::clone(&self.rules);
        change(&mut rules);
        self.rules = Arc::new(rules);
        self
    }
}

impl<S> Layer<S> for TaskOwnerLayer {
    type Service = TaskOwner<S>;

    fn layer(&self, inner: S) -> TaskOwner<S> {
        let rules = Arc::clone(&self.rules);
        CallGuard::new(OwnedTasks::new(inner, Arc::clone(&rules)), TaskRules(rules))
    }
}

/// What reads the call for [`TaskOwner`].
#[derive(Clone)]
pub struct TaskRules(Arc<Rules>);

impl JudgeCall for TaskRules {
    type Pass = ();

    fn limits(&self) -> CallLimits {
        self.0.limits
    }

    /// Nothing is decided here: a store may have to be waited for.
    fn judge(&self, _: &Call, _: &HeaderMap, _: &SecurityContext) -> Result<(), Denial> {
        Ok(())
    }

    fn refuse<B>(&self, context: &SecurityContext, denial: Denial) -> Response<ResponseBody<B>> {
        refuse!("tasks", context, denial)
    }
}

impl fmt::Debug for TaskRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

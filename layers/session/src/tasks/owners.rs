use std::{fmt, future::Future, pin::Pin, time::Duration};

use super::{OwnerKey, TaskKey};

/// Where it is kept whose a task is.
///
/// [`MemoryOwners`](super::MemoryOwners) is one for a single node. One that several nodes share must
/// bound its own waits, and say [`Unclaimed::Down`] when they are over.
pub trait TaskOwners: fmt::Debug + Send + Sync + 'static {
    /// Keeps for so long that a task is this owner's. The same again is fine, and renews it.
    ///
    /// Atomic: of two owners that claim one task, one gets [`Unclaimed::Taken`].
    fn claim(&self, task: TaskKey, owner: OwnerKey, life: Duration)
    -> Reply<Result<(), Unclaimed>>;

    /// Which of these tasks are this owner's, in their order. One that is not known is nobody's.
    fn owned(&self, tasks: Vec<TaskKey>, owner: OwnerKey) -> Reply<Result<Vec<bool>, Unclaimed>>;
}

/// What a store says: at once, or after a wait.
#[allow(
    clippy::exhaustive_enums,
    reason = "the layer handles both, and stores make both"
)]
pub enum Reply<T> {
    /// Known already.
    Now(T),
    /// To be waited for.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

/// Why a task has no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unclaimed {
    /// It is somebody else's.
    Taken,
    /// The owner has as many tasks as one may have; the first of them is forgotten after this time.
    Share(Duration),
    /// There is no room, and no task whose time is over.
    Full,
    /// The store can't be asked.
    Down,
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now(..)",
            Self::Later(_) => "Later(..)",
        })
    }
}

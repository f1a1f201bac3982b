use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redis::{RedisResult, aio::ConnectionManager};

/// Holds the manager of the shared connection, until a call by it failed.
///
/// A manager connects anew by itself only where an I/O error tells it to. It keeps a connection that Redis
/// refused, a password that is wrong for a moment, and one that died in silence.
#[derive(Default)]
pub(crate) struct Slot(Mutex<Held>);

#[derive(Default)]
struct Held {
    manager: Option<ConnectionManager>,
    /// How many there were before.
    generation: u64,
    forgotten: Option<Instant>,
}

/// So that commands that Redis refuses, of whomever, make no storm of connections.
const SHORTEST_LIFE: Duration = Duration::from_millis(100);

impl Slot {
    /// The manager, made if there is none, and which one it is.
    pub(crate) fn manager(
        &self,
        make: impl FnOnce() -> RedisResult<ConnectionManager>,
    ) -> RedisResult<(u64, ConnectionManager)> {
        let mut held = self.held();
        let manager = match &held.manager {
            Some(manager) => manager.clone(),
            None => held.manager.insert(make()?).clone(),
        };
        Ok((held.generation, manager))
    }

    /// A call by this one failed: the next call gets another. Calls that are under way keep theirs.
    pub(crate) fn forget(&self, generation: u64) {
        let mut held = self.held();
        let is_young = |at: Instant| at.elapsed() < SHORTEST_LIFE;
        if held.generation != generation || held.forgotten.is_some_and(is_young) {
            return;
        }
        held.manager = None;
        held.generation = generation.wrapping_add(1);
        held.forgotten = Some(Instant::now());
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

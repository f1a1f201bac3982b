use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bartizan_core::{Clock, SystemClock};

use super::{OwnerKey, Reply, TaskKey, TaskOwners, Unclaimed};
use crate::SessionConfigError;

/// Owners of tasks in the memory of one process. Clones share them.
///
/// Bounded, and nothing is forgotten before its time: a table that is full takes no task more, and one
/// owner has no more than its share of it, so that nobody fills it for the others.
#[derive(Clone)]
pub struct MemoryOwners(Arc<Shared>);

struct Shared {
    capacity: usize,
    share: usize,
    clock: Arc<dyn Clock>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    tasks: HashMap<TaskKey, Held>,
    by_time: BTreeSet<(Duration, TaskKey)>,
    by_owner: HashMap<OwnerKey, BTreeSet<(Duration, TaskKey)>>,
}

#[derive(Clone, Copy)]
struct Held {
    owner: OwnerKey,
    until: Duration,
}

impl MemoryOwners {
    /// Tasks that are kept unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const DEFAULT_CAPACITY: usize = 100_000;

    /// Tasks of one owner that are kept unless [`with_capacity`](Self::with_capacity) says otherwise.
    pub const DEFAULT_SHARE: usize = 1_000;

    /// An empty table.
    pub fn new() -> Self {
        Self::with(
            Self::DEFAULT_CAPACITY,
            Self::DEFAULT_SHARE,
            SystemClock::new(),
        )
    }

    /// An empty table with room for so many tasks, and for so many of one owner. A task takes some 300
    /// bytes.
    ///
    /// # Errors
    ///
    /// If one of them is zero, or the share exceeds the capacity.
    pub fn with_capacity(tasks: usize, share: usize) -> Result<Self, SessionConfigError> {
        Self::with_clock(tasks, share, SystemClock::new())
    }

    /// The same by another clock.
    ///
    /// # Errors
    ///
    /// As [`with_capacity`](Self::with_capacity).
    pub fn with_clock(
        tasks: usize,
        share: usize,
        clock: impl Clock,
    ) -> Result<Self, SessionConfigError> {
        if !(1..=tasks).contains(&share) {
            let problem = format!("is not between 1 and the capacity, {tasks}");
            return Err(SessionConfigError::new("share", share.to_string(), problem));
        }
        Ok(Self::with(tasks, share, clock))
    }

    fn with(capacity: usize, share: usize, clock: impl Clock) -> Self {
        Self(Arc::new(Shared {
            capacity,
            share,
            clock: Arc::new(clock),
            table: Mutex::default(),
        }))
    }

    /// How many tasks are kept.
    pub fn len(&self) -> usize {
        self.with_table(|table, _| table.tasks.len())
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is done with the tasks whose time is not over.
    fn with_table<T>(&self, act: impl FnOnce(&mut Table, Duration) -> T) -> T {
        let now = self.0.clock.monotonic();
        let mut table = self.0.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.forget(now);
        act(&mut table, now)
    }

    fn put(&self, task: TaskKey, owner: OwnerKey, life: Duration) -> Result<(), Unclaimed> {
        let Shared {
            capacity, share, ..
        } = *self.0;
        self.with_table(|table, now| {
            let until = now.saturating_add(life);
            match table.tasks.get(&task).copied() {
                Some(held) if held.owner != owner => return Err(Unclaimed::Taken),
                Some(held) => table.remove(task, held),
                None => table.has_room(owner, capacity, share, now)?,
            }
            table.insert(task, Held { owner, until });
            Ok(())
        })
    }
}

impl Table {
    fn has_room(
        &self,
        owner: OwnerKey,
        capacity: usize,
        share: usize,
        now: Duration,
    ) -> Result<(), Unclaimed> {
        if let Some(own) = self.by_owner.get(&owner)
            && own.len() >= share
        {
            let first = own.first().map_or(now, |(until, _)| *until);
            return Err(Unclaimed::Share(first.saturating_sub(now)));
        }
        match self.tasks.len() < capacity {
            true => Ok(()),
            false => Err(Unclaimed::Full),
        }
    }

    fn insert(&mut self, task: TaskKey, held: Held) {
        self.tasks.insert(task, held);
        self.by_time.insert((held.until, task));
        let own = self.by_owner.entry(held.owner).or_default();
        own.insert((held.until, task));
    }

    fn remove(&mut self, task: TaskKey, held: Held) {
        self.tasks.remove(&task);
        self.by_time.remove(&(held.until, task));
        if let Entry::Occupied(mut own) = self.by_owner.entry(held.owner) {
            own.get_mut().remove(&(held.until, task));
            if own.get().is_empty() {
                own.remove();
            }
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some((until, task)) = self.by_time.first().copied()
            && until <= now
        {
            match self.tasks.get(&task).copied() {
                Some(held) => self.remove(task, held),
                None => drop(self.by_time.pop_first()),
            }
        }
    }
}

impl TaskOwners for MemoryOwners {
    fn claim(
        &self,
        task: TaskKey,
        owner: OwnerKey,
        life: Duration,
    ) -> Reply<Result<(), Unclaimed>> {
        Reply::Now(self.put(task, owner, life))
    }

    fn owned(&self, tasks: Vec<TaskKey>, owner: OwnerKey) -> Reply<Result<Vec<bool>, Unclaimed>> {
        let is_own = |table: &Table, task| {
            let held = table.tasks.get(&task);
            held.is_some_and(|held| held.owner == owner)
        };
        let owned =
            self.with_table(|table, _| tasks.into_iter().map(|task| is_own(table, task)).collect());
        Reply::Now(Ok(owned))
    }
}

impl Default for MemoryOwners {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOwners")
            .field("capacity", &self.0.capacity)
            .field("share", &self.0.share)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::{FakeClock, Principal};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn owner(subject: &str) -> OwnerKey {
        OwnerKey::of(&Principal::user("i", subject).build("test"))
    }

    fn owners(tasks: usize, share: usize) -> (MemoryOwners, FakeClock) {
        let clock = FakeClock::at(HOUR);
        let owners = MemoryOwners::with_clock(tasks, share, clock.clone()).unwrap();
        (owners, clock)
    }

    fn is_own(owners: &MemoryOwners, task: &str, subject: &str) -> bool {
        match owners.owned(vec![TaskKey::of(task)], owner(subject)) {
            Reply::Now(Ok(owned)) => owned == [true],
            _ => panic!("it knows at once"),
        }
    }

    #[test]
    fn a_task_is_its_owners_until_its_time_is_over_and_then_nobodys() {
        let (owners, clock) = owners(9, 9);
        owners.put(TaskKey::of("t"), owner("ann"), HOUR).unwrap();
        assert!(is_own(&owners, "t", "ann"));
        assert!(!is_own(&owners, "t", "bob"));
        assert!(!is_own(&owners, "u", "ann"));
        clock.advance(HOUR - Duration::from_nanos(1));
        assert!(is_own(&owners, "t", "ann"));
        clock.advance(Duration::from_nanos(1));
        assert!(!is_own(&owners, "t", "ann"));
        assert!(owners.is_empty());
    }

    #[test]
    fn a_task_that_is_somebodys_is_not_taken_and_its_owner_renews_it() {
        let (owners, clock) = owners(1, 1);
        let put = |subject| owners.put(TaskKey::of("t"), owner(subject), HOUR);
        put("ann").unwrap();
        assert_eq!(put("bob"), Err(Unclaimed::Taken));
        clock.advance(HOUR / 2);
        put("ann").unwrap();
        clock.advance(HOUR / 2);
        assert!(is_own(&owners, "t", "ann"));
        clock.advance(HOUR / 2);
        put("bob").unwrap();
        assert_eq!(owners.len(), 1);
    }

    #[test]
    fn se_6_nobody_fills_the_table_for_others_and_what_lives_is_never_forgotten() {
        let (owners, clock) = owners(3, 2);
        let put = |task, subject| owners.put(TaskKey::of(task), owner(subject), HOUR);
        put("a1", "ann").unwrap();
        clock.advance(HOUR / 2);
        put("a2", "ann").unwrap();
        assert_eq!(put("a3", "ann"), Err(Unclaimed::Share(HOUR / 2)));
        put("b1", "bob").unwrap();
        assert_eq!(put("c1", "cid"), Err(Unclaimed::Full));
        assert!(is_own(&owners, "a1", "ann") && is_own(&owners, "b1", "bob"));
        clock.advance(HOUR / 2);
        put("c1", "cid").unwrap();
        put("b1", "bob").unwrap();
        assert_eq!(owners.len(), 3);
        clock.advance(2 * HOUR);
        assert!(owners.is_empty());
        let table = owners.0.table.lock().unwrap();
        assert!(table.by_owner.is_empty() && table.by_time.is_empty());
    }

    #[test]
    fn a_table_without_room_does_not_build() {
        for (tasks, share) in [(0, 0), (1, 0), (1, 2)] {
            assert!(MemoryOwners::with_capacity(tasks, share).is_err());
        }
    }
}

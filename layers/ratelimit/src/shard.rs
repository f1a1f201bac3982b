use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    ops::DerefMut,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{asked::MOST_CELLS, keys::Id};

/// A part of the table, under one lock.
#[derive(Default)]
pub(crate) struct Shard {
    /// When buckets are full again; one that is not here is full.
    pub(crate) cells: HashMap<Id, u64, BuildHasherDefault<IdHasher>>,
    /// Requests that are open, where there are any: never more entries than open requests.
    open: HashMap<Id, u32, BuildHasherDefault<IdHasher>>,
    /// Whether new keys of this shard ever had to share.
    pub(crate) has_overflowed: bool,
    /// Before this time nothing is to be won by looking for full buckets.
    sweep_at: u64,
}

/// Keys of a shard: few enough that looking through all of them takes microseconds, and what a
/// hash table of 1024 places holds.
pub(crate) const SHARD_KEYS: usize = 896;

/// A shard is not looked through more often, in nanoseconds.
pub(crate) const SWEEP_INTERVAL: u64 = 10_000_000;

/// The lock of a shard; a model checker puts its own in its place.
pub(crate) trait Lock: Send + Sync {
    type Guard<'a>: DerefMut<Target = Shard>
    where
        Self: 'a;

    fn around(shard: Shard) -> Self;

    fn hold(&self) -> Self::Guard<'_>;
}

impl Lock for Mutex<Shard> {
    type Guard<'a> = MutexGuard<'a, Shard>;

    fn around(shard: Shard) -> Self {
        Self::new(shard)
    }

    #[inline]
    fn hold(&self) -> MutexGuard<'_, Shard> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// When a bucket is full; `None` if it is not kept.
    #[inline]
    pub(crate) fn full_at(&self, id: Id) -> Option<u64> {
        self.cells.get(&id).copied()
    }

    /// Sets a cell. One that is there is set in place: `insert` would make room first.
    #[inline]
    pub(crate) fn set(&mut self, id: Id, full_at: u64) {
        match self.cells.get_mut(&id) {
            Some(cell) => *cell = full_at,
            None => {
                self.cells.insert(id, full_at);
            }
        }
    }

    /// Requests that are open under a name.
    #[inline]
    pub(crate) fn open(&self, id: Id) -> u32 {
        self.open.get(&id).copied().unwrap_or(0)
    }

    /// One more.
    pub(crate) fn enter(&mut self, id: Id) {
        let open = self.open.entry(id).or_insert(0);
        *open = open.saturating_add(1);
    }

    /// One less.
    pub(crate) fn leave(&mut self, id: Id) {
        if let Some(open) = self.open.get_mut(&id) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open.remove(&id);
            }
        }
    }

    /// Forgets the buckets that are full. Those that stay move: what is taken out of a hash table leaves marks, of which
    /// it would grow though there are no more buckets than before.
    pub(crate) fn drop_full(&mut self, now: u64) {
        let is_live = |full_at: &u64| *full_at > now;
        let live = self.cells.values().filter(|f| is_live(f)).count();
        if live == self.cells.len() {
            return;
        }
        let room = live + MOST_CELLS;
        let mut kept = HashMap::with_capacity_and_hasher(room, BuildHasherDefault::default());
        kept.extend(self.cells.drain().filter(|(_, full_at)| is_live(full_at)));
        self.cells = kept;
    }

    /// Whether all new keys that one decision may bring fit into a share of the room, once full
    /// buckets were dropped.
    pub(crate) fn has_room(&mut self, room: usize, share: usize, now: u64) -> bool {
        if self.has_places(share) {
            return true;
        }
        if now < self.sweep_at {
            return false;
        }
        self.drop_full(now);
        self.sweep_at = now.saturating_add(SWEEP_INTERVAL);
        if !self.has_places(room) {
            // Nothing comes in before one of these is full; where there is room, quicker ones may.
            let earliest = self.cells.values().copied().min();
            self.sweep_at = self.sweep_at.max(earliest.unwrap_or(0));
        }
        self.has_places(share)
    }

    fn has_places(&self, room: usize) -> bool {
        self.cells.len() + MOST_CELLS <= room
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The first half chose the shard, where it is much the same for all.
        let Self([_, half]) = self;
        state.write_u64(*half);
    }
}

/// An id is a hash already.
#[derive(Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_shard_is_not_looked_through_again_before_something_can_have_changed() {
        let mut shard = Shard::default();
        let full_at = [(0, 40, 5 * SWEEP_INTERVAL)];
        fill(&mut shard, full_at);
        assert!(!shard.has_room(40, 40, 0));
        assert_eq!(shard.sweep_at, 5 * SWEEP_INTERVAL);
        assert!(shard.has_room(40, 40, 5 * SWEEP_INTERVAL));
    }

    /// The flaw: a bucket that takes an hour to fill made its shard keep all the others for an hour.
    #[test]
    fn a_slow_bucket_does_not_keep_quick_ones_from_being_dropped() {
        const HOUR: u64 = 3_600_000_000_000;
        let mut shard = Shard::default();
        fill(&mut shard, [(0, 20, HOUR), (20, 40, SWEEP_INTERVAL)]);
        assert!(shard.has_room(40, 40, SWEEP_INTERVAL));
        fill(&mut shard, [(40, 60, 2 * SWEEP_INTERVAL)]);
        assert!(
            !shard.has_room(40, 40, SWEEP_INTERVAL + 1),
            "just looked through"
        );
        assert!(shard.has_room(40, 40, 2 * SWEEP_INTERVAL));
    }

    #[test]
    fn a_share_that_is_used_up_does_not_put_off_the_looking_for_all_of_the_room() {
        let mut shard = Shard::default();
        fill(&mut shard, [(0, 10, 9 * SWEEP_INTERVAL)]);
        assert!(!shard.has_room(40, 20, 0));
        assert!(shard.has_room(40, 40, 0));
        fill(&mut shard, [(10, 40, SWEEP_INTERVAL)]);
        assert!(shard.has_room(40, 40, SWEEP_INTERVAL));
    }

    /// The flaw: after some time of it a million keys had twice the memory.
    #[test]
    fn coming_and_going_does_not_let_a_shard_grow() {
        for room in [449, 488, 500, 640, 781, 896] {
            let mut shard = Shard::default();
            let (mut now, mut random) = (0_u64, 7_u64);
            let mut most = 0;
            for round in 0..100_000_u64 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(round | 1);
                now += SWEEP_INTERVAL / 100;
                if shard.has_room(room, room, now) {
                    let stays = (random >> 33) % 900 * SWEEP_INTERVAL / 100;
                    let id = Id([0, random ^ (random >> 29)]);
                    shard.set(id, now + stays);
                }
                most = most.max(shard.cells.capacity());
            }
            assert!(shard.cells.len() > room / 2, "{room} were hardly used");
            assert!(most <= SHARD_KEYS, "{room}: {most}");
        }
    }

    /// Cells from one number to another that are full at a time.
    fn fill<const N: usize>(shard: &mut Shard, cells: [(u64, u64, u64); N]) {
        for (from, to, full_at) in cells {
            for number in from..to {
                shard.cells.insert(Id([0, number]), full_at);
            }
        }
    }
}

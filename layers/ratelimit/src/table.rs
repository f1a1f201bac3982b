use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::keys::Key;

/// The buckets of all tiers that one decision may ask.
///
/// A cell holds the time at which its bucket is full again. One whose time has passed equals one
/// that was never made, so only those are ever dropped: what is forgotten is never a free refill.
/// A new key for which there is no room shares the tier's one overflow cell.
pub(crate) struct Table {
    shards: Box<[Mutex<Shard>]>,
    /// For each tier, its single cell and its overflow cell.
    fixed: Mutex<Box<[[Option<u64>; 2]]>>,
    /// Keys of one shard.
    room: usize,
}

#[derive(Default)]
struct Shard {
    cells: HashMap<Key, u64, BuildHasherDefault<KeyHasher>>,
    /// Before this time nothing is to be won by looking for full buckets.
    sweep_at: u64,
}

/// Cells that one decision may ask.
pub(crate) const MOST_CELLS: usize = 6;

/// Keys of a shard: few enough that looking through all of them takes microseconds.
const SHARD_KEYS: usize = 1024;

/// A shard is not looked through more often, in nanoseconds.
const SWEEP_INTERVAL: u64 = 10_000_000;

/// A bucket of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The tier's only one.
    Single,
    /// One of many.
    Keyed(Key),
}

/// A tier, and which of its buckets.
pub(crate) type Cell = (usize, Place);

/// Where a cell is while its shard is locked.
#[derive(Clone, Copy)]
enum Seat {
    Kept { shard: usize, key: Key },
    Fixed { tier: usize, overflow: bool },
}

impl Table {
    pub(crate) fn new(tiers: usize, max_keys: usize) -> Self {
        let shards = max_keys.div_ceil(SHARD_KEYS).next_power_of_two();
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            fixed: Mutex::new(vec![[None; 2]; tiers].into()),
            room: max_keys / shards,
        }
    }

    /// Shows the values of the cells to `decide`, and writes those that it gives back.
    ///
    /// No other decision sees or changes these cells meanwhile. Shards are locked in ascending
    /// order, and the fixed cells last, so decisions never wait for each other in a ring.
    pub(crate) fn with<R>(
        &self,
        cells: &[Cell],
        now: u64,
        decide: impl FnOnce(&[Option<u64>; MOST_CELLS]) -> ([Option<u64>; MOST_CELLS], R),
    ) -> R {
        let mut guards = self.lock_shards(cells);
        let mut fixed = lock(&self.fixed);
        let mut seats = [None; MOST_CELLS];
        let mut values = [None; MOST_CELLS];
        for ((seat, value), cell) in seats.iter_mut().zip(&mut values).zip(cells) {
            let found = self.seat(*cell, &mut guards, now);
            *value = match found {
                Seat::Kept { shard, key } => {
                    guard_of(&mut guards, shard).and_then(|shard| shard.cells.get(&key).copied())
                }
                Seat::Fixed { tier, overflow } => fixed
                    .get(tier)
                    .and_then(|cells| cells.get(usize::from(overflow)).copied().flatten()),
            };
            *seat = Some(found);
        }
        let (written, outcome) = decide(&values);
        for (seat, value) in seats.into_iter().flatten().zip(written) {
            let Some(value) = value else { continue };
            match seat {
                Seat::Kept { shard, key } => {
                    if let Some(shard) = guard_of(&mut guards, shard) {
                        shard.cells.insert(key, value);
                    }
                }
                Seat::Fixed { tier, overflow } => {
                    let cell = fixed
                        .get_mut(tier)
                        .and_then(|cells| cells.get_mut(usize::from(overflow)));
                    if let Some(cell) = cell {
                        *cell = Some(value);
                    }
                }
            }
        }
        outcome
    }

    /// The value of a tier's single cell.
    pub(crate) fn single(&self, tier: usize) -> Option<u64> {
        lock(&self.fixed).get(tier).and_then(|[single, _]| *single)
    }

    /// Keys that are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(shard).cells.len())
            .sum()
    }

    fn lock_shards(&self, cells: &[Cell]) -> Guards<'_> {
        let mut wanted = [usize::MAX; MOST_CELLS];
        for (wanted, (_, place)) in wanted.iter_mut().zip(cells) {
            if let Place::Keyed(key) = place {
                *wanted = self.shard_of(*key);
            }
        }
        wanted.sort_unstable();
        let mut guards: Guards<'_> = [const { None }; MOST_CELLS];
        let mut last = usize::MAX;
        for (guard, index) in guards.iter_mut().zip(wanted) {
            if index != last
                && let Some(shard) = self.shards.get(index)
            {
                *guard = Some((index, lock(shard)));
                last = index;
            }
        }
        guards
    }

    fn shard_of(&self, key: Key) -> usize {
        let (low, _) = key.halves();
        // There are 2^n shards.
        low as usize & (self.shards.len() - 1)
    }

    /// The cell's own place, or its tier's overflow cell.
    fn seat(&self, (tier, place): Cell, guards: &mut Guards<'_>, now: u64) -> Seat {
        let Place::Keyed(key) = place else {
            return Seat::Fixed {
                tier,
                overflow: false,
            };
        };
        let index = self.shard_of(key);
        let has_room = guard_of(guards, index)
            .is_some_and(|shard| shard.cells.contains_key(&key) || shard.has_room(self.room, now));
        if has_room {
            Seat::Kept { shard: index, key }
        } else {
            Seat::Fixed {
                tier,
                overflow: true,
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("max_keys", &(self.room * self.shards.len()))
            .finish_non_exhaustive()
    }
}

impl Shard {
    /// Whether all new keys that one decision may bring fit, once full buckets were dropped.
    fn has_room(&mut self, room: usize, now: u64) -> bool {
        let fits = |cells: usize| cells + MOST_CELLS <= room;
        if fits(self.cells.len()) {
            return true;
        }
        if now < self.sweep_at {
            return false;
        }
        let mut earliest = u64::MAX;
        self.cells.retain(|_, full_at| {
            let live = *full_at > now;
            if live {
                earliest = earliest.min(*full_at);
            }
            live
        });
        self.sweep_at = earliest.max(now.saturating_add(SWEEP_INTERVAL));
        fits(self.cells.len())
    }
}

type Guards<'a> = [Option<(usize, MutexGuard<'a, Shard>)>; MOST_CELLS];

fn guard_of<'g>(guards: &'g mut Guards<'_>, index: usize) -> Option<&'g mut Shard> {
    guards
        .iter_mut()
        .flatten()
        .find(|(shard, _)| *shard == index)
        .map(|(_, guard)| &mut **guard)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A key is a hash already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyMaker;

    fn keyed(maker: &KeyMaker, number: u64) -> Cell {
        (
            0,
            Place::Keyed(maker.key(0, maker.start().part(&number.to_le_bytes()).digest())),
        )
    }

    /// Sets a cell, and tells what was there.
    fn set(table: &Table, cell: Cell, now: u64, value: u64) -> Option<u64> {
        table.with(&[cell], now, |values| {
            let mut written = [None; MOST_CELLS];
            written[0] = Some(value);
            (written, values[0])
        })
    }

    #[test]
    fn seed_r3_invented_keys_fill_the_table_and_then_share_one_cell() {
        let table = Table::new(1, 1000);
        let maker = KeyMaker::new(1).unwrap();
        let known = keyed(&maker, 0);
        assert_eq!(set(&table, known, 0, 50), None);
        for number in 1..5000 {
            set(&table, keyed(&maker, number), 0, 100);
        }
        assert!(table.len() <= 1000, "{}", table.len());
        assert_eq!(
            set(&table, keyed(&maker, 9999), 0, 100),
            Some(100),
            "shared"
        );
        assert_eq!(
            set(&table, known, 0, 60),
            Some(50),
            "nothing live was evicted"
        );
    }

    #[test]
    fn full_buckets_make_room_for_new_ones() {
        let table = Table::new(1, 1000);
        let maker = KeyMaker::new(1).unwrap();
        for number in 0..5000 {
            set(&table, keyed(&maker, number), 0, 100);
        }
        let later = SWEEP_INTERVAL;
        assert_eq!(set(&table, keyed(&maker, 9999), later, later + 1), None);
        assert!(table.len() < 10);
    }

    #[test]
    fn a_full_shard_is_not_looked_through_again_before_something_can_have_changed() {
        let mut shard = Shard::default();
        let maker = KeyMaker::new(1).unwrap();
        for number in 0..20_u64 {
            let key = maker.key(0, maker.start().part(&number.to_le_bytes()).digest());
            shard.cells.insert(key, 5 * SWEEP_INTERVAL);
        }
        assert!(!shard.has_room(20, 0));
        assert_eq!(shard.sweep_at, 5 * SWEEP_INTERVAL);
        assert!(shard.has_room(20, 5 * SWEEP_INTERVAL));
    }

    #[test]
    fn a_panic_in_a_decision_leaves_the_table_usable() {
        let table = Table::new(1, 1000);
        let single = (0, Place::Single);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            table.with::<()>(&[single], 0, |_| panic!("for the test"));
        }));
        assert!(panicked.is_err());
        assert_eq!(set(&table, single, 0, 7), None);
        assert_eq!(table.single(0), Some(7));
    }
}

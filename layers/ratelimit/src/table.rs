use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{
    keys::{Id, Key},
    shard::{SHARD_KEYS, Shard},
};

/// The buckets of all tiers that one decision may ask.
///
/// A cell holds the time at which its bucket is full again. One whose time has passed equals one
/// that was never made, so only those are ever dropped: what is forgotten is never a free refill.
/// A new key for which there is no room shares the tier's one overflow cell. Keys that one owner
/// minted share a cell of that owner's before: whoever mints many would use up what all share.
pub(crate) struct Table {
    shards: Box<[Mutex<Shard>]>,
    /// One cell for each tier: the only one that it has, or the one that new keys share.
    fixed: Mutex<Box<[Option<u64>]>>,
    /// Keys of one shard.
    room: usize,
}

/// Cells that one decision may ask.
pub(crate) const MOST_CELLS: usize = 6;

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

/// Where the value of a cell is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// In its shard, under this name.
    Shard(Id),
    /// With its tier.
    Fixed,
}

impl Table {
    pub(crate) fn new(tiers: usize, max_keys: usize) -> Self {
        let shards = max_keys.div_ceil(SHARD_KEYS).next_power_of_two();
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            fixed: Mutex::new(vec![None; tiers].into()),
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
        let mut seats = [Seat::Fixed; MOST_CELLS];
        let mut values = [None; MOST_CELLS];
        for ((seat, value), (_, place)) in seats.iter_mut().zip(&mut values).zip(cells) {
            *seat = match place {
                Place::Single => Seat::Fixed,
                Place::Keyed(key) => self.seat(*key, &mut guards, now, value),
            };
        }
        // All decisions of all parties would meet at this lock.
        let mut asked = seats.iter().zip(cells);
        let asks_fixed = asked.any(|(seat, _)| *seat == Seat::Fixed);
        let mut fixed = asks_fixed.then(|| lock(&self.fixed));
        for ((seat, value), (tier, _)) in seats.iter().zip(&mut values).zip(cells) {
            if *seat == Seat::Fixed {
                *value = fixed.as_ref().and_then(|cells| *cells.get(*tier)?);
            }
        }
        let (written, outcome) = decide(&values);
        for ((seat, value), (tier, place)) in seats.into_iter().zip(written).zip(cells) {
            let Some(value) = value else { continue };
            match (seat, place) {
                (Seat::Shard(id), Place::Keyed(key)) => {
                    if let Some(shard) = guard_of(&mut guards, self.shard_of(*key)) {
                        shard.cells.insert(id, value);
                    }
                }
                _ => {
                    let cell = fixed.as_mut().and_then(|cells| cells.get_mut(*tier));
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
        lock(&self.fixed).get(tier).copied().flatten()
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
        let mut count = 0;
        for (_, place) in cells {
            let Place::Keyed(key) = place else { continue };
            let index = self.shard_of(*key);
            let known = wanted.iter().take(count).any(|shard| *shard == index);
            if let Some(free) = wanted.get_mut(count).filter(|_| !known) {
                *free = index;
                count += 1;
            }
        }
        let wanted = wanted.get_mut(..count).unwrap_or_default();
        wanted.sort_unstable();
        let mut guards: Guards<'_> = [const { None }; MOST_CELLS];
        for (guard, index) in guards.iter_mut().zip(wanted) {
            *guard = self.shards.get(*index).map(|shard| (*index, lock(shard)));
        }
        guards
    }

    fn shard_of(&self, key: Key) -> usize {
        // There are 2^n shards.
        key.home as usize & (self.shards.len() - 1)
    }

    /// Where a key is kept, and what it holds: in its shard, or where new keys overflow to.
    fn seat(&self, key: Key, guards: &mut Guards<'_>, now: u64, value: &mut Option<u64>) -> Seat {
        let Some(shard) = guard_of(guards, self.shard_of(key)) else {
            return Seat::Fixed;
        };
        // Those that are minted leave half of the room to the others.
        let room_of_its_own = key.shared.map_or(self.room, |_| self.room / 2);
        let names = [(Some(key.id), room_of_its_own), (key.shared, self.room)];
        for (id, share) in names
            .into_iter()
            .filter_map(|(id, share)| Some((id?, share)))
        {
            *value = shard.cells.get(&id).copied();
            if value.is_some() || shard.has_room(self.room, share, now) {
                return Seat::Shard(id);
            }
        }
        Seat::Fixed
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("max_keys", &(self.room * self.shards.len()))
            .finish_non_exhaustive()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::{Id, KeyMaker, Sort},
        shard::SWEEP_INTERVAL,
    };

    fn keyed(maker: &KeyMaker, number: u64) -> Cell {
        let owner = maker.owner(Sort::User, [number.to_le_bytes().as_slice()]);
        (0, Place::Keyed(maker.key(0, &owner)))
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
        let table = Table::new(1, 800);
        let maker = KeyMaker::new(1).unwrap();
        for number in 0..5000 {
            set(&table, keyed(&maker, number), 0, 100);
        }
        let later = SWEEP_INTERVAL;
        assert_eq!(set(&table, keyed(&maker, 9999), later, later + 1), None);
        assert!(table.len() < 10);
    }

    #[test]
    fn what_an_owner_mints_fills_half_of_its_own_shard_and_no_other() {
        let table = Table::new(1, 100_000);
        let maker = KeyMaker::new(1).unwrap();
        let owner = maker.owner(Sort::User, [b"mallory".as_slice()]);
        for number in 0..5000_u64 {
            let id = number.to_le_bytes();
            let session = maker.within(&owner, Sort::Session, [id.as_slice()]);
            let cell = (0, Place::Keyed(maker.key(0, &session)));
            set(&table, cell, 0, 100);
        }
        assert!(table.len() <= SHARD_KEYS / 2 + 1, "{}", table.len());
        assert_eq!(table.single(0), None, "what all share is not used up");
    }

    #[test]
    fn a_key_takes_at_most_60_bytes() {
        for max_keys in [1000, 1800, 100_000, 1_000_000, 100_000_000] {
            let shards = max_keys_shards(max_keys);
            let room = max_keys / shards;
            // A hash table is at most 7/8 full, has 2^n places, and a byte for each beside it.
            let places = (room * 8).div_ceil(7).next_power_of_two();
            let bytes = places * (size_of::<(Id, u64)>() + 1) + size_of::<Mutex<Shard>>();
            assert!(bytes <= room * 60, "{max_keys}");
        }
    }

    fn max_keys_shards(max_keys: usize) -> usize {
        Table::new(0, max_keys).shards.len()
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

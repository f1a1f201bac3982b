use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(test)]
use crate::keys::Id;
use crate::{
    Quota,
    keys::Key,
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
pub(crate) const MOST_CELLS: usize = 10;

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

/// A cell that a decision asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) cell: Cell,
    /// Whether it is to be charged, or only asked.
    pub(crate) is_charged: bool,
    /// What it is judged by, if not by its tier's.
    pub(crate) quota: Option<Quota>,
    /// The time at which the bucket is full; `None` if it is.
    pub(crate) value: Option<u64>,
    seat: Seat,
}

/// Where the value of a cell is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// In its shard, under its own name.
    Own,
    /// In its shard, under the name that it shares.
    Shared,
    /// With its tier.
    Fixed,
}

/// The cells of one decision, which no other decision sees or changes meanwhile.
pub(crate) struct Held<'t> {
    table: &'t Table,
    shards: Guards<'t>,
    fixed: Option<MutexGuard<'t, Box<[Option<u64>]>>>,
}

impl Ask {
    #[inline]
    pub(crate) fn new(cell: Cell, is_charged: bool) -> Self {
        Self {
            cell,
            is_charged,
            quota: None,
            value: None,
            seat: Seat::Fixed,
        }
    }

    /// By another quota than the tier's.
    pub(crate) fn by(self, quota: Quota) -> Self {
        let quota = Some(quota);
        Self { quota, ..self }
    }
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

    /// Takes hold of cells, at most [`MOST_CELLS`], and shows what they hold.
    ///
    /// Shards are locked in ascending order, and the fixed cells last, so decisions never wait for
    /// each other in a ring.
    pub(crate) fn hold(&self, asked: &mut [Ask], now: u64) -> Held<'_> {
        let mut shards = self.lock_shards(asked);
        let mut asks_fixed = false;
        for ask in &mut *asked {
            if let (_, Place::Keyed(key)) = &ask.cell {
                (ask.seat, ask.value) = self.seat(key, &mut shards, now);
            }
            asks_fixed |= ask.seat == Seat::Fixed;
        }
        // All decisions of all parties would meet at this lock.
        let fixed = asks_fixed.then(|| lock(&self.fixed));
        if let Some(fixed) = &fixed {
            for ask in asked.iter_mut().filter(|ask| ask.seat == Seat::Fixed) {
                ask.value = fixed.get(ask.cell.0).copied().flatten();
            }
        }
        Held {
            table: self,
            shards,
            fixed,
        }
    }

    /// The value of a tier's single cell.
    pub(crate) fn single(&self, tier: usize) -> Option<u64> {
        lock(&self.fixed).get(tier).copied().flatten()
    }

    /// The names under which buckets are kept.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> Vec<Id> {
        let of = |shard: &Mutex<Shard>| lock(shard).cells.keys().copied().collect::<Vec<_>>();
        self.shards.iter().flat_map(of).collect()
    }

    fn lock_shards(&self, asked: &[Ask]) -> Guards<'_> {
        let mut wanted = asked.iter().filter_map(|ask| match &ask.cell {
            (_, Place::Keyed(key)) => Some(self.shard_of(key)),
            (_, Place::Single) => None,
        });
        let Some(one) = wanted.next() else {
            return [None, None];
        };
        let guard = |index: usize| Some((index, lock(self.shards.get(index)?)));
        match wanted.find(|index| *index != one) {
            None => [guard(one), None],
            Some(other) => [guard(one.min(other)), guard(one.max(other))],
        }
    }

    fn shard_of(&self, key: &Key) -> usize {
        // There are 2^n shards.
        key.home as usize & (self.shards.len() - 1)
    }

    /// Where a key is kept, and what it holds: in its shard, or where new keys overflow to.
    fn seat(&self, key: &Key, guards: &mut Guards<'_>, now: u64) -> (Seat, Option<u64>) {
        let Some(shard) = guard_of(guards, self.shard_of(key)) else {
            return (Seat::Fixed, None);
        };
        // Those that are minted leave half of the room to the others.
        let room_of_its_own = key.shared.map_or(self.room, |_| self.room / 2);
        let own = shard.cells.get(&key.id).copied();
        if own.is_some() || shard.has_room(self.room, room_of_its_own, now) {
            return (Seat::Own, own);
        }
        let Some(id) = key.shared else {
            return (Seat::Fixed, None);
        };
        let shared = shard.cells.get(&id).copied();
        if shared.is_some() || shard.has_room(self.room, self.room, now) {
            return (Seat::Shared, shared);
        }
        (Seat::Fixed, None)
    }
}

impl Held<'_> {
    /// Writes the value that stands in it.
    pub(crate) fn write(&mut self, ask: &Ask) {
        let Some(value) = ask.value else { return };
        let (tier, place) = &ask.cell;
        let kept = match (place, ask.seat) {
            (Place::Keyed(key), Seat::Own) => Some((key, key.id)),
            (Place::Keyed(key), Seat::Shared) => key.shared.map(|id| (key, id)),
            _ => None,
        };
        match kept {
            Some((key, id)) => {
                if let Some(shard) = guard_of(&mut self.shards, self.table.shard_of(key)) {
                    shard.cells.insert(id, value);
                }
            }
            None => {
                let cell = self.fixed.as_mut().and_then(|cells| cells.get_mut(*tier));
                if let Some(cell) = cell {
                    *cell = Some(value);
                }
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

/// Those of two owners at most, of which each has one shard. What a third asked for would find none,
/// and overflow.
type Guards<'a> = [Option<(usize, MutexGuard<'a, Shard>)>; 2];

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
        let mut asked = [Ask::new(cell, true)];
        let mut held = table.hold(&mut asked, now);
        let before = asked[0].value.replace(value);
        held.write(&asked[0]);
        before
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
        assert!(table.ids().len() <= 1000, "{}", table.ids().len());
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
        assert!(table.ids().len() < 10);
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
        assert!(
            table.ids().len() <= SHARD_KEYS / 2 + 1,
            "{}",
            table.ids().len()
        );
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
            let _held = table.hold(&mut [Ask::new(single, true)], 0);
            panic!("for the test");
        }));
        assert!(panicked.is_err());
        assert_eq!(set(&table, single, 0, 7), None);
        assert_eq!(table.single(0), Some(7));
    }
}

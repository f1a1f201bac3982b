use std::{fmt, sync::Mutex};

#[cfg(feature = "redis")]
use crate::asked::{Ask, Seat};
use crate::{
    asked::Place,
    keys::{Id, Key},
    shard::{Lock, SHARD_KEYS, Shard},
};

/// The buckets of all tiers that one decision may ask.
///
/// A cell holds the time at which its bucket is full again. One whose time has passed equals one
/// that was never made, so only those are ever dropped: what is forgotten is never a free refill.
/// A new key for which there is no room shares the tier's one overflow cell. Keys that one owner
/// minted share a cell of that owner's before: whoever mints many would use up what all share. A key
/// that gets a cell of its own later starts with what is left in the one that it may have shared, so
/// that no key is ever admitted more than its quota.
pub(crate) struct Table<L = Mutex<Shard>> {
    pub(crate) shards: Box<[L]>,
    /// Under each tier's own name: its only cell, or the one that new keys share.
    pub(crate) fixed: L,
    /// Keys of one shard.
    pub(crate) room: usize,
}

impl<L: Lock> Table<L> {
    pub(crate) fn new(max_keys: usize) -> Self {
        let shards = max_keys.div_ceil(SHARD_KEYS).next_power_of_two();
        Self::of(shards, max_keys / shards)
    }

    /// So many shards of so many keys each.
    pub(crate) fn of(shards: usize, room: usize) -> Self {
        let shard = |_| L::around(Shard::default());
        Self {
            shards: (0..shards).map(shard).collect(),
            fixed: shard(0),
            room,
        }
    }

    /// One open request less.
    pub(crate) fn leave(&self, place: &Place) {
        match place {
            Place::Single(id) => self.fixed.hold().leave(*id),
            Place::Keyed(key, _) => {
                if let Some(shard) = self.shards.get(self.shard_of(key)) {
                    shard.hold().leave(key.id);
                }
            }
        }
    }

    /// Brings a cell that was just written nearer to full.
    #[cfg(feature = "redis")]
    pub(crate) fn lower(&self, ask: &Ask, by: u64) {
        let (shard, id) = match (&ask.place, ask.seat) {
            (Place::Keyed(key, _), Seat::Own | Seat::New) => {
                (self.shards.get(self.shard_of(key)), Some(key.id))
            }
            (Place::Keyed(key, _), Seat::Shared | Seat::NewShared) => {
                (self.shards.get(self.shard_of(key)), key.shared)
            }
            (place, _) => (Some(&self.fixed), Some(place.fixed())),
        };
        if let (Some(shard), Some(id)) = (shard, id)
            && let Some(full_at) = shard.hold().cells.get_mut(&id)
        {
            *full_at = full_at.saturating_sub(by);
        }
    }

    /// The value of a tier's fixed cell, and what is open there.
    pub(crate) fn single(&self, id: Id) -> (Option<u64>, u32) {
        let fixed = self.fixed.hold();
        (fixed.full_at(id), fixed.open(id))
    }

    /// Forgets fixed cells that are full: those of tiers that are no more would stay for ever.
    pub(crate) fn drop_full(&self, now: u64) {
        self.fixed.hold().drop_full(now);
    }

    /// Keys that it holds, live or not yet looked through. Locks one part after the other.
    pub(crate) fn keys(&self) -> usize {
        let count = |shard: &L| shard.hold().cells.len();
        self.shards.iter().map(count).sum()
    }

    /// Keys that it holds at most.
    pub(crate) fn max_keys(&self) -> usize {
        self.room * self.shards.len()
    }

    /// The names under which buckets are kept.
    #[cfg(test)]
    pub(crate) fn ids(&self) -> Vec<Id> {
        let of = |shard: &L| shard.hold().cells.keys().copied().collect::<Vec<_>>();
        self.shards.iter().flat_map(of).collect()
    }

    #[inline]
    pub(crate) fn shard_of(&self, key: &Key) -> usize {
        // There are 2^n shards.
        key.home as usize & (self.shards.len() - 1)
    }
}

impl<L> fmt::Debug for Table<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("max_keys", &(self.room * self.shards.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        Quota, arithmetic,
        asked::{Ask, MOST_CELLS},
        keys::{KeyMaker, Mask, Owner, Sort},
        shard::SWEEP_INTERVAL,
    };

    type Plain = Table<Mutex<Shard>>;

    struct Made {
        maker: KeyMaker,
        mask: Mask,
    }

    fn made() -> Made {
        let maker = KeyMaker::new().unwrap();
        let mask = maker.mask(0);
        Made { maker, mask }
    }

    impl Made {
        fn owner(&self, number: u64) -> Owner {
            let bytes = number.to_le_bytes();
            self.maker.owner(Sort::User, [bytes.as_slice()])
        }

        fn keyed(&self, number: u64) -> Place {
            Place::of(self.mask, Some(&self.owner(number)))
        }
    }

    fn ask(place: Place) -> Ask {
        Ask::new(0, place, Quota::per_minute(1).unwrap(), 1)
    }

    /// Sets a cell, and tells what was there; 0 if nothing was.
    fn set(table: &Plain, place: Place, now: u64, full_at: u64) -> u64 {
        let mut asked = [ask(place)];
        let mut held = table.hold(&mut asked, &mut [], now);
        let before = std::mem::replace(&mut asked[0].full_at, full_at);
        held.write(&asked[0]);
        before
    }

    #[test]
    fn seed_r3_invented_keys_fill_the_table_and_then_share_one_cell() {
        let (table, made) = (Plain::new(1000), made());
        let known = made.keyed(0);
        assert_eq!(set(&table, known, 0, 50), 0);
        for number in 1..5000 {
            set(&table, made.keyed(number), 0, 100);
        }
        assert!(table.keys() <= 1000, "{}", table.keys());
        let late = made.keyed(9999);
        assert_eq!(set(&table, late, 0, 100), 100, "shared");
        let before = set(&table, known, 0, 60);
        assert_eq!(before, 50, "nothing live was evicted");
    }

    #[test]
    fn full_buckets_make_room_for_new_ones() {
        let (table, made) = (Plain::of(1, 800), made());
        for number in 0..5000 {
            set(&table, made.keyed(number), 0, 100);
        }
        let later = SWEEP_INTERVAL;
        // It starts with what is left in the cell that new keys shared, and that is full by now.
        assert_eq!(set(&table, made.keyed(9999), later, later + 1), 100);
        assert!(table.keys() < 10);
    }

    #[test]
    fn what_an_owner_mints_fills_half_of_its_own_shard_and_no_other() {
        let (table, made) = (Plain::new(100_000), made());
        let owner = made.owner(0);
        for number in 0..5000_u64 {
            let id = number.to_le_bytes();
            let session = made.maker.within(&owner, Sort::Session, [id.as_slice()]);
            set(&table, Place::of(made.mask, Some(&session)), 0, 100);
        }
        assert!(table.keys() <= SHARD_KEYS / 2 + 1, "{}", table.keys());
        let (cell, _) = table.single(made.mask.fixed());
        assert_eq!(cell, None, "what all share is not used up");
    }

    #[test]
    fn what_anybody_mints_leaves_half_of_the_room_to_others() {
        let (table, made) = (Plain::new(1000), made());
        for number in 0..5000_u64 {
            let said = number.to_le_bytes();
            let minted = made.maker.minted(Sort::Said, [said.as_slice()]);
            set(&table, Place::of(made.mask, Some(&minted)), 0, 100);
        }
        assert!(table.keys() <= 500, "{}", table.keys());
        let other = Place::of(made.maker.mask(1), Some(&made.owner(7)));
        assert_eq!(set(&table, other, 0, 100), 0);
        assert_eq!(set(&table, other, 0, 100), 100, "of its own");
    }

    #[test]
    fn a_key_takes_at_most_60_bytes() {
        for max_keys in [1000, 1800, 100_000, 1_000_000, 100_000_000] {
            let room = Plain::new(max_keys).room;
            // A hash table is at most 7/8 full, has 2^n places, and a byte for each beside it.
            let places = (room * 8).div_ceil(7).next_power_of_two();
            let bytes = places * (size_of::<(Id, u64)>() + 1) + size_of::<Mutex<Shard>>();
            assert!(bytes <= room * 60, "{max_keys}: {bytes} of {room}");
        }
    }

    #[test]
    fn a_panic_in_a_decision_leaves_the_table_usable() {
        let (table, made) = (Plain::new(1000), made());
        let single = Place::of(made.mask, None);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = table.hold(&mut [ask(single)], &mut [], 0);
            panic!("for the test");
        }));
        assert!(panicked.is_err());
        assert_eq!(set(&table, single, 0, 7), 0);
        assert_eq!(table.single(made.mask.fixed()), (Some(7), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However full the table is, and whatever it forgot: what a key was admitted is what its own
        /// bucket would have admitted of it, or less.
        #[test]
        fn seed_r3_no_key_is_ever_admitted_more_than_its_quota(
            asks in vec((0_u64..9, 0_u64..2, 0_u64..400, 1_usize..4), 1..300),
        ) {
            let quota = Quota::per_minute(600).unwrap().burst(3).unwrap();
            // Room for a handful of keys.
            let table = Plain::of(1, MOST_CELLS + 3);
            let made = made();
            let mut buckets: HashMap<(u64, u64), u64> = HashMap::new();
            let mut now = 0;
            let repeated = asks.into_iter().flat_map(|(owner, session, millis, times)| {
                (0..times).map(move |n| (owner, session, if n == 0 { millis } else { 0 }))
            });
            for (owner, session, millis) in repeated {
                // Few steps are long enough to fill all buckets.
                now += if millis < 380 { millis % 40 } else { millis } * 1_000_000;
                let party = made.owner(owner);
                let id = session.to_le_bytes();
                let of_session = made.maker.within(&party, Sort::Session, [id.as_slice()]);
                let whose = if session == 0 { party } else { of_session };
                let mut asked = [ask(Place::of(made.mask, Some(&whose)))];
                let mut held = table.hold(&mut asked, &mut [], now);
                let own = buckets.entry((owner, session)).or_default();
                let at = |cell| arithmetic::judge(quota, 1, arithmetic::owed(cell, u64::MAX, now), now);
                if let Ok(charge) = at(asked[0].full_at) {
                    asked[0].full_at = charge.next;
                    held.write(&asked[0]);
                    let slow = at(*own);
                    prop_assert!(slow.is_ok(), "{owner} {session} at {now}");
                    *own = slow.map_or(0, |charge| charge.next);
                }
                drop(held);
                prop_assert!(table.keys() <= MOST_CELLS + 3);
            }
        }
    }
}

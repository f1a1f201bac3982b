use smallvec::SmallVec;

use crate::{
    asked::{Ask, OpenAsk, Place, Seat},
    keys::Key,
    shard::{Lock, Shard},
    table::Table,
};

/// The cells of one decision, which no other decision sees or changes meanwhile.
pub(crate) struct Held<'t, L: Lock> {
    table: &'t Table<L>,
    shards: Guards<'t, L>,
    fixed: Option<L::Guard<'t>>,
}

/// The shards of one decision, in the order in which they were locked.
struct Guards<'t, L: Lock + 't> {
    /// Most often all cells are of one party, which is at home in one shard.
    first: Option<(usize, L::Guard<'t>)>,
    more: SmallVec<[(usize, L::Guard<'t>); 3]>,
}

impl<L: Lock> Table<L> {
    /// Takes hold of cells, and shows what they hold.
    ///
    /// Shards are locked in ascending order, and the fixed cells last, so decisions never wait for
    /// each other in a ring.
    #[inline]
    pub(crate) fn hold(&self, asked: &mut [Ask], open: &mut [OpenAsk], now: u64) -> Held<'_, L> {
        let mut held = Held {
            table: self,
            shards: Guards {
                first: None,
                more: SmallVec::new(),
            },
            fixed: None,
        };
        held.shards.lock(self, asked, open);
        let mut needs_fixed = open.iter().any(|ask| matches!(ask.place, Place::Single(_)));
        for ask in &mut *asked {
            match &ask.place {
                Place::Single(_) => ask.seat = Seat::Fixed,
                Place::Keyed(key, _) => (ask.seat, ask.full_at) = held.seat(key, now),
            }
            needs_fixed |= !matches!(ask.seat, Seat::Own | Seat::Shared);
        }
        // All decisions of all parties would meet at this lock.
        if needs_fixed {
            let fixed = held.fixed.insert(self.fixed.hold());
            for ask in asked.iter_mut() {
                let full_at = || fixed.full_at(ask.place.fixed()).unwrap_or(0);
                match ask.seat {
                    Seat::Fixed => ask.full_at = full_at(),
                    // Of what it may have shared.
                    Seat::New | Seat::NewShared => ask.full_at = ask.full_at.max(full_at()),
                    Seat::Own | Seat::Shared => {}
                }
            }
        }
        for ask in open {
            ask.count = held.count(&ask.place);
        }
        held
    }
}

impl<L: Lock> Held<'_, L> {
    /// Writes the value that stands in it.
    #[inline]
    pub(crate) fn write(&mut self, ask: &Ask) {
        let kept = match (&ask.place, ask.seat) {
            (Place::Keyed(key, _), Seat::Own | Seat::New) => Some((key, key.id)),
            (Place::Keyed(key, _), Seat::Shared | Seat::NewShared) => {
                key.shared.map(|id| (key, id))
            }
            _ => None,
        };
        match kept {
            Some((key, id)) => {
                if let Some(shard) = self.shard(key) {
                    shard.set(id, ask.full_at);
                }
            }
            None => {
                if let Some(fixed) = &mut self.fixed {
                    fixed.set(ask.place.fixed(), ask.full_at);
                }
                if let Place::Keyed(key, _) = &ask.place
                    && let Some(shard) = self.shard(key)
                {
                    shard.has_overflowed = true;
                }
            }
        }
    }

    /// One open request more.
    pub(crate) fn enter(&mut self, place: &Place) {
        match place {
            Place::Single(id) => {
                if let Some(fixed) = &mut self.fixed {
                    fixed.enter(*id);
                }
            }
            Place::Keyed(key, _) => {
                if let Some(shard) = self.shard(key) {
                    shard.enter(key.id);
                }
            }
        }
    }

    fn count(&mut self, place: &Place) -> u32 {
        match place {
            Place::Single(id) => self.fixed.as_ref().map_or(0, |fixed| fixed.open(*id)),
            // A count that nobody can see admits nobody.
            Place::Keyed(key, _) => self.shard(key).map_or(u32::MAX, |shard| shard.open(key.id)),
        }
    }

    /// Where a key is kept, and when it is full: in its shard, or where new keys overflow to.
    #[inline]
    fn seat(&mut self, key: &Key, now: u64) -> (Seat, u64) {
        let room = self.table.room;
        let Some(shard) = self.shard(key) else {
            return (Seat::Fixed, 0);
        };
        match shard.full_at(key.id) {
            Some(own) => (Seat::Own, own),
            None => new_seat(shard, key, room, now),
        }
    }

    #[inline]
    fn shard(&mut self, key: &Key) -> Option<&mut Shard> {
        self.shards.get(self.table.shard_of(key))
    }
}

/// Where a key is kept that has no cell of its own.
fn new_seat(shard: &mut Shard, key: &Key, room: usize, now: u64) -> (Seat, u64) {
    let shared = key.shared.and_then(|id| shard.full_at(id));
    // Only a key of this shard can have taken from the fixed cell before.
    let (new, sharing) = match shard.has_overflowed {
        true => (Seat::New, Seat::NewShared),
        false => (Seat::Own, Seat::Shared),
    };
    // Those that are minted leave half of the room to the others.
    let share = match key.is_minted {
        true => room / 2,
        false => room,
    };
    if shard.has_room(room, share, now) {
        return (new, shared.unwrap_or(0));
    }
    match key.shared {
        Some(_) if shared.is_some() || shard.has_room(room, room, now) => {
            (sharing, shared.unwrap_or(0))
        }
        _ => (Seat::Fixed, 0),
    }
}

impl<'t, L: Lock + 't> Guards<'t, L> {
    #[inline]
    fn lock(&mut self, table: &'t Table<L>, asked: &[Ask], open: &[OpenAsk]) {
        let places = asked.iter().map(|ask| &ask.place);
        let places = places.chain(open.iter().map(|ask| &ask.place));
        let mut wanted = places.filter_map(|place| match place {
            Place::Keyed(key, _) => Some(table.shard_of(key)),
            Place::Single(_) => None,
        });
        let Some(first) = wanted.next() else { return };
        let guard = |index: usize| Some((index, table.shards.get(index)?.hold()));
        if wanted.clone().all(|index| index == first) {
            self.first = guard(first);
            return;
        }
        let mut wanted: SmallVec<[usize; 8]> = std::iter::once(first).chain(wanted).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut locked = wanted.into_iter().filter_map(guard);
        self.first = locked.next();
        self.more.extend(locked);
    }

    #[inline]
    fn get(&mut self, index: usize) -> Option<&mut Shard> {
        if let Some((first, guard)) = &mut self.first
            && *first == index
        {
            return Some(guard);
        }
        let (_, guard) = self.more.iter_mut().find(|(shard, _)| *shard == index)?;
        Some(guard)
    }
}

use std::iter;
#[cfg(test)]
use std::mem;

/// What is known of each of at most so many subjects, by their keyed hashes.
///
/// A key has one bucket of eight places, and nobody outside knows which. A new one takes a free place, else that of whoever
/// weighs least, and of several such that of who was not seen for longest. So who is suspected stays while anybody who is
/// less so can go.
pub(crate) struct Table<E> {
    buckets: Box<[Vec<Slot<E>>]>,
}

struct Slot<E> {
    key: u64,
    seen: u64,
    entry: E,
}

const WAYS: usize = 8;

/// Who was not seen for so many milliseconds weighs nothing.
const FORGOTTEN: u64 = 24 * 60 * 60 * 1000;

impl<E: Default> Table<E> {
    /// For so many, rounded up to eight times a power of two.
    pub(crate) fn new(subjects: usize) -> Self {
        const {
            assert!(size_of::<Slot<E>>() <= 1024, "more than 1 KiB");
        }
        let buckets = subjects.div_ceil(WAYS).next_power_of_two();
        Self {
            buckets: iter::repeat_with(Vec::new).take(buckets).collect(),
        }
    }

    /// The most bytes that a table for so many takes, whatever comes.
    #[cfg(test)]
    pub(crate) fn most_bytes(&self) -> usize {
        self.buckets.len() * (mem::size_of::<Vec<Slot<E>>>() + WAYS * mem::size_of::<Slot<E>>())
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let of = |bucket: &Vec<Slot<E>>| bucket.capacity() * mem::size_of::<Slot<E>>();
        self.buckets.iter().map(of).sum::<usize>()
            + self.buckets.len() * mem::size_of::<Vec<Slot<E>>>()
    }

    /// What is known of this one; of who is new, nothing.
    ///
    /// `None` never comes: there is a bucket for every key.
    pub(crate) fn of(&mut self, key: u64, now: u64, weight: impl Fn(&E) -> u32) -> Option<&mut E> {
        let mask = self.buckets.len() - 1;
        // The lower bits tell things apart elsewhere.
        let place = usize::try_from(key >> 32).unwrap_or_default() & mask;
        let bucket = self.buckets.get_mut(place)?;
        let place = match bucket.iter().position(|slot| slot.key == key) {
            Some(place) => place,
            None if bucket.len() < WAYS => {
                if bucket.capacity() < bucket.len() + 1 {
                    bucket.reserve_exact(bucket.len().clamp(1, WAYS - bucket.len()));
                }
                bucket.push(Slot {
                    key,
                    seen: now,
                    entry: E::default(),
                });
                bucket.len() - 1
            }
            None => {
                let lightest = bucket.iter_mut().min_by_key(|slot| {
                    let is_forgotten = now.saturating_sub(slot.seen) > FORGOTTEN;
                    let weight = if is_forgotten { 0 } else { weight(&slot.entry) };
                    (weight, slot.seen)
                })?;
                *lightest = Slot {
                    key,
                    seen: now,
                    entry: E::default(),
                };
                bucket.iter().position(|slot| slot.key == key)?
            }
        };
        let slot = bucket.get_mut(place)?;
        slot.seen = now;
        Some(&mut slot.entry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(table: &mut Table<u32>, key: u64, now: u64) -> u32 {
        let entry = table.of(key, now, |entry| *entry).unwrap();
        *entry += 1;
        *entry
    }

    /// Different keys, as evenly distributed as hashes.
    fn key(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_flood_of_others_does_not_make_a_suspect_forgotten() {
        let mut table = Table::new(64);
        let suspect = key(0);
        assert_eq!(count(&mut table, suspect, 1), 1);
        assert_eq!(count(&mut table, suspect, 1), 2);
        for number in 1..100_000 {
            count(&mut table, key(number), 2);
        }
        assert_eq!(count(&mut table, suspect, 3), 3);
    }

    #[test]
    fn who_was_not_seen_for_a_day_goes_first() {
        let mut table = Table::new(8);
        for _ in 0..100 {
            count(&mut table, key(0), 1);
        }
        let later = FORGOTTEN + 2;
        for number in 1..=8 {
            count(&mut table, key(number), later);
            count(&mut table, key(number), later);
        }
        assert_eq!(count(&mut table, key(0), later), 1);
    }

    proptest! {
        #[test]
        fn no_keys_take_more_than_the_bound(keys in prop::collection::vec(any::<u64>(), 0..2000)) {
            let mut table = Table::new(100);
            for key in keys {
                count(&mut table, key, 1);
                prop_assert!(table.bytes() <= table.most_bytes());
            }
        }
    }
}

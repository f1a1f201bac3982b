use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use siphasher::{sip::SipHasher13 as SipHasher64, sip128::SipHasher13};

/// Proofs that were used, for as long as they would be good again (RFC 9449 §11.1).
///
/// They are kept by the time that they say they were made at, so that all of one time are forgotten
/// at once.
pub(crate) struct Replays {
    hasher: SipHasher13,
    key_hasher: SipHasher64,
    capacity: usize,
    used: Mutex<Used>,
}

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    First,
    Again,
    /// Proofs of its time were forgotten, and the clock has stepped back since.
    TooOld,
    /// There is no room to tell for this key, and there is for others.
    TooMany,
    /// There is no room to tell.
    Unknown,
}

#[derive(Default)]
struct Used {
    spans: BTreeMap<u64, Span>,
    /// How many of each key are held, in all spans.
    of_keys: HashMap<u64, usize>,
    held: usize,
    /// The span after the last one that was forgotten: of what is older nobody can tell.
    forgotten: u64,
}

#[derive(Default)]
struct Span {
    proofs: HashSet<u128>,
    of_keys: HashMap<u64, usize>,
}

/// Proofs of so many seconds are forgotten together.
const SPAN: u64 = 30;

/// A key holds at most this part of the room that is left, so that one that takes what it can leaves
/// nearly all of it to others, and only hundreds of keys together could take everything.
const SHARE: usize = 16;

impl Replays {
    /// Remembers so many; `None` if the system gives no randomness.
    pub(crate) fn new(capacity: usize) -> Option<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).ok()?;
        Some(Self {
            hasher: SipHasher13::new_with_key(&key),
            key_hasher: SipHasher64::new_with_key(&key),
            capacity,
            used: Mutex::default(),
        })
    }

    /// Uses the proof with this id, of this key, made at `made`; proofs made before `oldest` are not
    /// good any more.
    pub(crate) fn spend(&self, key: [u8; 32], id: &str, made: Duration, oldest: Duration) -> Use {
        let mark = [&key, id.as_bytes()].concat();
        let mark = self.hasher.hash(&mark).as_u128();
        let key = self.key_hasher.hash(&key);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget(oldest.as_secs() / SPAN);
        used.spend(key, mark, made.as_secs() / SPAN, self.capacity)
    }
}

impl Used {
    /// Forgets the spans before `first`.
    fn forget(&mut self, first: u64) {
        while let Some(entry) = self.spans.first_entry() {
            if *entry.key() >= first {
                return;
            }
            let (at, span) = entry.remove_entry();
            self.forgotten = self.forgotten.max(at.saturating_add(1));
            self.held = self.held.saturating_sub(span.proofs.len());
            for (key, count) in span.of_keys {
                if let Some(held) = self.of_keys.get_mut(&key) {
                    *held = held.saturating_sub(count);
                    if *held == 0 {
                        self.of_keys.remove(&key);
                    }
                }
            }
        }
    }

    fn spend(&mut self, key: u64, mark: u128, at: u64, capacity: usize) -> Use {
        let is_used = self
            .spans
            .get(&at)
            .is_some_and(|s| s.proofs.contains(&mark));
        let room = capacity.saturating_sub(self.held);
        let of_key = self.of_keys.get(&key).copied().unwrap_or_default();
        if is_used {
            return Use::Again;
        }
        if at < self.forgotten {
            return Use::TooOld;
        }
        if room == 0 {
            return Use::Unknown;
        }
        if of_key >= (room / SHARE).max(1) {
            return Use::TooMany;
        }
        let span = self.spans.entry(at).or_default();
        span.proofs.insert(mark);
        *span.of_keys.entry(key).or_default() += 1;
        *self.of_keys.entry(key).or_default() += 1;
        self.held += 1;
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn key(number: u32) -> [u8; 32] {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        key
    }

    /// How many proofs of a key are taken before one is not, and what that one is.
    fn fill(replays: &Replays, number: u32) -> (u32, Use) {
        for n in 0.. {
            let made = S(1000 + u64::from(n % 300));
            match replays.spend(key(number), &n.to_string(), made, S(900)) {
                Use::First => {}
                end => return (n, end),
            }
        }
        unreachable!("memory is bounded");
    }

    #[test]
    fn a_proof_is_good_once_and_forgotten_when_it_is_too_old() {
        let replays = Replays::new(1000).unwrap();
        let spend =
            |key: u8, id: &str, made, oldest| replays.spend([key; 32], id, S(made), S(oldest));
        assert_eq!(spend(1, "a", 1000, 700), Use::First);
        assert_eq!(spend(1, "a", 1000, 700), Use::Again);
        assert_eq!(spend(2, "a", 1000, 700), Use::First);
        assert_eq!(spend(1, "b", 1000, 700), Use::First);
        assert_eq!(spend(1, "a", 1000, 1000), Use::Again);
        assert_eq!(spend(1, "c", 1400, 1100), Use::First);
        let used = replays.used.lock().unwrap();
        assert_eq!((used.spans.len(), used.held, used.of_keys.len()), (1, 1, 1));
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_forgotten_proof_good_again() {
        let replays = Replays::new(1000).unwrap();
        let spend = |id: &str, made, oldest| replays.spend([1; 32], id, S(made), S(oldest));
        assert_eq!(spend("a", 1000, 700), Use::First);
        assert_eq!(spend("z", 1700, 1400), Use::First);
        assert_eq!(spend("a", 1000, 700), Use::TooOld);
        assert_eq!(spend("z", 1700, 700), Use::Again);
        // What is newer than all that was forgotten can still be told.
        assert_eq!(spend("b", 1020, 700), Use::First);
        assert_eq!(spend("b", 1020, 700), Use::Again);
    }

    #[test]
    fn a_key_that_takes_what_it_can_is_refused_alone_until_it_is_forgotten() {
        let replays = Replays::new(1000).unwrap();
        assert_eq!(fill(&replays, 1), (58, Use::TooMany));
        assert_eq!(replays.spend(key(1), "0", S(1000), S(900)), Use::Again);
        assert_eq!(replays.spend(key(2), "0", S(1000), S(900)), Use::First);
        assert_eq!(replays.spend(key(1), "new", S(1700), S(1400)), Use::First);
    }

    #[test]
    fn many_keys_leave_room_for_another_and_memory_is_bounded_all_the_same() {
        let replays = Replays::new(1000).unwrap();
        for number in 0..50 {
            let (_, end) = fill(&replays, number);
            assert_eq!(end, Use::TooMany, "{number}");
        }
        assert_eq!(replays.spend(key(100), "0", S(1000), S(900)), Use::First);
        // Only as many keys as there is room for can take all of it.
        let taken = (101..2000).filter(|number| fill(&replays, *number).0 > 0);
        assert!(taken.count() < 100);
        assert_eq!(replays.used.lock().unwrap().held, 1000);
        assert_eq!(replays.spend(key(2000), "0", S(1000), S(900)), Use::Unknown);
        assert_eq!(replays.spend(key(1), "0", S(1000), S(900)), Use::Again);
    }
}

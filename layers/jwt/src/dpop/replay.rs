use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use siphasher::sip128::SipHasher13;

/// Proofs that were used, for as long as they would be good again (RFC 9449 §11.1).
///
/// They are kept by the time that they say they were made at, so that all of one time are forgotten
/// at once.
pub(crate) struct Replays {
    hasher: SipHasher13,
    capacity: usize,
    used: Mutex<BTreeMap<u64, HashSet<u128>>>,
}

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    First,
    Again,
    /// There is no room to tell.
    Unknown,
}

/// Proofs of so many seconds are forgotten together.
const SPAN: u64 = 30;

impl Replays {
    /// Remembers so many; `None` if the system gives no randomness.
    pub(crate) fn new(capacity: usize) -> Option<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).ok()?;
        Some(Self {
            hasher: SipHasher13::new_with_key(&key),
            capacity,
            used: Mutex::default(),
        })
    }

    /// Uses the proof with this id, of this key, made at `made`; proofs made before `oldest` are not
    /// good any more.
    pub(crate) fn spend(&self, key: [u8; 32], id: &str, made: Duration, oldest: Duration) -> Use {
        let mark = [&key, id.as_bytes()].concat();
        let mark = self.hasher.hash(&mark).as_u128();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let first = oldest.as_secs() / SPAN;
        if used
            .first_key_value()
            .is_some_and(|(span, _)| *span < first)
        {
            *used = used.split_off(&first);
        }
        let held: usize = used.values().map(HashSet::len).sum();
        let span = used.entry(made.as_secs() / SPAN).or_default();
        if span.contains(&mark) {
            Use::Again
        } else if held >= self.capacity {
            Use::Unknown
        } else {
            span.insert(mark);
            Use::First
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

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
        assert_eq!(replays.used.lock().unwrap().len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_what_can_t_be_remembered_is_not_let_pass() {
        let replays = Replays::new(1000).unwrap();
        for n in 0..1000_u32 {
            let made = S(1000 + u64::from(n % 300));
            assert_eq!(
                replays.spend([1; 32], &n.to_string(), made, S(900)),
                Use::First
            );
        }
        assert_eq!(replays.spend([1; 32], "new", S(1000), S(900)), Use::Unknown);
        assert_eq!(replays.spend([1; 32], "0", S(1000), S(900)), Use::Again);
        assert_eq!(replays.spend([1; 32], "new", S(1700), S(1400)), Use::First);
    }
}

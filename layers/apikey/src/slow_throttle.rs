use std::{collections::HashMap, time::Duration};

use bartizan_lookup::{Budget, Network, Spent};

use crate::KeyId;

/// How many slow hashes may come to nothing: by all, by one network, and for one key.
///
/// Whoever knows the id of a key and tries secrets spends his network's part of what that key has, and of what all
/// have: others find enough of either, and nobody whose key is remembered asks for any.
pub(crate) struct SlowThrottle {
    all: Budget,
    keys: HashMap<KeyId, Budget>,
    /// For keys beyond [`MOST_KEYS`].
    others: Budget,
    per_key: u32,
    sweep_at: Duration,
}

const MOST_KEYS: usize = 1 << 16;

const SWEEPS_EVERY: Duration = Duration::from_secs(10);

impl SlowThrottle {
    pub(crate) fn new(per_minute: u32, per_key: u32) -> Self {
        Self {
            all: Budget::per_minute(per_minute),
            keys: HashMap::new(),
            others: Budget::per_minute(per_key),
            per_key,
            sweep_at: Duration::ZERO,
        }
    }

    /// Takes one, at the monotonic time `now`; otherwise says when to come back.
    pub(crate) fn take(
        &mut self,
        now: Duration,
        id: KeyId,
        network: Option<Network>,
    ) -> Result<(), Spent> {
        self.all.check(now, network)?;
        if now >= self.sweep_at {
            self.keys.retain(|_, budget| !budget.is_full(now));
            self.sweep_at = now.saturating_add(SWEEPS_EVERY);
        }
        let budget = self.budget(id);
        // That one key has none left is news to nobody else.
        budget.check(now, network).map_err(|spent| match spent {
            Spent::ByAll { after, .. } | Spent::ByOne { after } => Spent::ByOne { after },
        })?;
        budget.take(now, network);
        self.all.take(now, network);
        Ok(())
    }

    /// Gives one back: it was not run, or the secret was right.
    pub(crate) fn give_back(&mut self, id: KeyId, network: Option<Network>) {
        self.all.give_back(network);
        self.budget(id).give_back(network);
    }

    fn budget(&mut self, id: KeyId) -> &mut Budget {
        if self.keys.len() >= MOST_KEYS && !self.keys.contains_key(&id) {
            return &mut self.others;
        }
        let new = || Budget::per_minute(self.per_key);
        self.keys.entry(id).or_insert_with(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(7);

    fn id(number: u32) -> KeyId {
        let mut bytes = [0; KeyId::BYTES];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        KeyId::new(bytes)
    }

    fn network(number: u8) -> Option<Network> {
        Some(Network::of([192, 0, 2, number].into()))
    }

    fn spend(throttle: &mut SlowThrottle, id: KeyId, network: Option<Network>) -> usize {
        (0..)
            .take_while(|_| throttle.take(NOW, id, network).is_ok())
            .count()
    }

    #[test]
    fn who_tries_secrets_of_one_key_leaves_it_to_other_networks_and_all_else_to_all() {
        let mut throttle = SlowThrottle::new(60, 6);
        assert_eq!(spend(&mut throttle, id(1), network(1)), 6);
        // From elsewhere the same key has as good as all.
        assert!(throttle.take(NOW, id(1), network(2)).is_ok());
        // The same network has other keys, until its part of all is spent.
        let others: usize = (2..100)
            .map(|n| spend(&mut throttle, id(n), network(1)))
            .sum();
        assert!((50..80).contains(&others), "{others}");
        assert_eq!(spend(&mut throttle, id(200), network(3)), 6);
        // All is used up by about fifty networks.
        let all_keys = |n: u8| -> usize {
            let keys = (0..200).map(|key| id(1000 + u32::from(n) * 200 + key));
            keys.map(|id| spend(&mut throttle, id, network(n))).sum()
        };
        let networks = (4..200).map(all_keys).take_while(|n| *n > 0).count();
        assert!((40..=60).contains(&networks), "{networks}");
    }

    #[test]
    fn from_many_networks_one_key_is_spent_and_no_other() {
        let mut throttle = SlowThrottle::new(6000, 6);
        let tried = |n| spend(&mut throttle, id(1), network(n));
        let tried: Vec<_> = (0..=255).map(tried).take_while(|n| *n > 0).collect();
        assert_eq!(tried.iter().sum::<usize>(), 60);
        // As the README has it.
        assert!((20..=40).contains(&tried.len()), "{tried:?}");
        assert!(throttle.take(NOW, id(2), network(1)).is_ok());
    }

    #[test]
    fn what_is_given_back_is_there_again_and_what_is_full_is_forgotten() {
        let mut throttle = SlowThrottle::new(60, 6);
        let spent = spend(&mut throttle, id(1), network(1));
        (0..spent).for_each(|_| throttle.give_back(id(1), network(1)));
        assert_eq!(spend(&mut throttle, id(1), network(1)), spent);
        let much_later = NOW + Duration::from_secs(3600);
        throttle.take(much_later, id(2), network(1)).unwrap();
        assert_eq!(throttle.keys.len(), 1);
    }

    #[test]
    fn memory_is_bounded_whatever_ids_are_made_up() {
        let mut throttle = SlowThrottle::new(100_000, 6);
        for number in 0..70_000 {
            throttle.take(NOW, id(number), None).ok();
        }
        assert_eq!(throttle.keys.len(), MOST_KEYS);
    }
}

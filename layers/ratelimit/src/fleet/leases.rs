use std::{
    collections::HashMap,
    hash::BuildHasherDefault,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::lease::{Grant, Lease, SECOND, Stand, Taken};
use crate::{
    asked::{Ask, Place},
    keys::Id,
    shard::IdHasher,
};

/// Requests that this process has paid for in advance, of keys that are asked for often.
///
/// What a lease holds was charged to its bucket when it was taken. It is worth no more than what the bucket still lacks
/// by that: at any time a bucket and all leases of it hold a burst together, and no more, so that the fleet never exceeds
/// the limit. Hence a lease melts away while its bucket, had nobody else taken from it, would be full again.
#[derive(Debug)]
pub(super) struct Leases {
    shards: Box<[Mutex<Shard>]>,
}

type Shard = HashMap<Id, Lease, BuildHasherDefault<IdHasher>>;

/// What is left of a lease that nobody uses any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unspent {
    pub(super) id: Id,
    pub(super) requests: u32,
    pub(super) server_full_at: u64,
    pub(super) interval: u64,
}

/// Keys that are watched at most: 64 times as many, of about 150 bytes each.
const MOST_OF_SHARD: usize = 256;
const SHARDS: usize = 64;

impl Default for Leases {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Leases {
    /// Takes what a request costs, or says what to do instead.
    pub(super) fn take(&self, ask: &Ask, now: u64) -> Stand {
        let id = ask.place.id();
        let mut shard = self.shard(id);
        if !shard.contains_key(&id) && !has_room(&mut shard, now) {
            return Stand::Ask(0);
        }
        let lease = shard.entry(id).or_insert_with(|| Lease::since(now));
        lease.take(ask, now)
    }

    /// Returns what was taken for a request that others refused, unless the lease is another by now.
    pub(super) fn put_back(&self, ask: &Ask, taken: Taken) {
        if let Some(lease) = self.shard(ask.place.id()).get_mut(&ask.place.id()) {
            lease.put_back(ask.cost, taken);
        }
    }

    /// More was granted, or nothing.
    pub(super) fn grant(&self, place: &Place, grant: Grant) {
        if let Some(lease) = self.shard(place.id()).get_mut(&place.id()) {
            lease.grant(grant);
        }
    }

    /// Redis refused a request, which was sent at a time, and admits the like after so many nanoseconds.
    pub(super) fn refuse(&self, ask: &Ask, sent_at: u64, wait: u64) {
        if let Some(lease) = self.shard(ask.place.id()).get_mut(&ask.place.id()) {
            lease.refuse(ask.cost, sent_at, wait);
        }
    }

    /// Redis did not answer.
    pub(super) fn forsake(&self, place: &Place) {
        if let Some(lease) = self.shard(place.id()).get_mut(&place.id()) {
            lease.forsake();
        }
    }

    /// Ends the leases that nobody has used for so long.
    pub(super) fn end_idle(&self, idle: u64, now: u64) -> Vec<Unspent> {
        let mut unspent = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|id, lease| {
                if now.saturating_sub(lease.touched) < idle {
                    return true;
                }
                let requests = lease.worth(now);
                if requests > 0 {
                    unspent.push(Unspent {
                        id: *id,
                        requests,
                        server_full_at: lease.server_full_at,
                        interval: lease.interval,
                    });
                }
                false
            });
        }
        unspent
    }

    /// Whether nothing is watched.
    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |shard: &Mutex<Shard>| shard.lock().is_ok_and(|shard| shard.is_empty());
        self.shards.iter().all(is_empty)
    }

    fn shard(&self, id: Id) -> MutexGuard<'_, Shard> {
        let Id([half, _]) = id;
        let index = half as usize % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "there are so many")]
        let shard = &self.shards[index];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets keys that are neither leased nor asked for any more, if there is no room.
fn has_room(shard: &mut Shard, now: u64) -> bool {
    if shard.len() >= MOST_OF_SHARD {
        shard.retain(|_, lease| now.saturating_sub(lease.touched) < SECOND || lease.worth(now) > 0);
    }
    shard.len() < MOST_OF_SHARD
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        Quota,
        keys::{KeyMaker, Sort},
    };

    const I: u64 = 1_000_000;

    fn quota() -> Quota {
        let quota = Quota::per_second(1000).unwrap().burst(400).unwrap();
        assert_eq!(quota.interval(), I);
        quota
    }

    fn ask(key: u64) -> Ask {
        let maker = KeyMaker::with_secrets(&[1; 16], &[2; 16]);
        let owner = maker.numbered(Sort::Address, u128::from(key));
        Ask::new(0, Place::of(maker.mask(0), Some(&owner)), quota(), 1)
    }

    /// As Redis keeps it: when the bucket is full.
    struct Bucket(u64);

    impl Bucket {
        /// Charges a request if it admits one, and as many more as it grants.
        fn ask(&mut self, wanted: u32, now: u64) -> Option<(u32, u64)> {
            let lacks = self.0.saturating_sub(now);
            if lacks + I > quota().full() {
                return None;
            }
            let lacks = lacks + I;
            let most = (quota().full() - lacks) / I / 4;
            let granted = wanted.min(u32::try_from(most).unwrap());
            let lacks = lacks + u64::from(granted) * I;
            self.0 = now + lacks;
            Some((granted, lacks))
        }
    }

    impl Bucket {
        /// The same without a request.
        fn refill(&mut self, wanted: u32, now: u64) -> (u32, u64) {
            let lacks = self.0.saturating_sub(now);
            let most = (quota().full() - lacks) / I / 4;
            let granted = wanted.min(u32::try_from(most).unwrap());
            self.0 = now + lacks + u64::from(granted) * I;
            (granted, self.0 - now)
        }
    }

    /// Asks one of the processes.
    fn request(leases: &Leases, bucket: &mut Bucket, now: u64) -> bool {
        let ask = ask(7);
        let (answer, is_admitted) = match leases.take(&ask, now) {
            Stand::Taken(Taken { wanted: 0, .. }) => return true,
            Stand::Taken(Taken { wanted, .. }) => (Some(bucket.refill(wanted, now)), true),
            Stand::Refused(_) => return false,
            Stand::Ask(wanted) => {
                let answer = bucket.ask(wanted, now);
                (answer, answer.is_some())
            }
        };
        match answer {
            Some((requests, owed)) => {
                let grant = Grant {
                    requests,
                    owed,
                    sent_at: now,
                    server_now: now / 1000,
                };
                leases.grant(&ask.place, grant);
            }
            None => leases.forsake(&ask.place),
        }
        is_admitted
    }

    proptest! {
        /// Whatever processes do when: what they admit is what one bucket would admit.
        #[test]
        fn a_fleet_with_leases_never_exceeds_the_limit(
            steps in vec((0_usize..3, 0_u64..40, 1_usize..200), 1..120),
        ) {
            let nodes = [(); 3].map(|()| Leases::default());
            let mut bucket = Bucket(0);
            let mut all = Bucket(0);
            let mut now = 10_000 * I;
            for (node, millis, times) in steps {
                now += millis * I;
                for _ in 0..times {
                    now += I / 100;
                    if request(&nodes[node], &mut bucket, now) {
                        prop_assert!(all.ask(0, now).is_some(), "at {now}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_lease_melts_away_while_its_bucket_would_be_full_again() {
        let leases = Leases::default();
        let ask = ask(7);
        assert_eq!(leases.take(&ask, 0), Stand::Ask(0));
        let grant = Grant {
            requests: 10,
            owed: 11 * I,
            sent_at: 0,
            server_now: 0,
        };
        leases.grant(&ask.place, grant);
        let take = |now| matches!(leases.take(&ask, now), Stand::Taken(_));
        assert!(take(0));
        assert!(take(9 * I));
        assert!(take(9 * I));
        assert!(!take(9 * I), "two were left of nine");
        assert!(!take(11 * I));
    }

    /// Another process took ten in between, which are worth five then, as these are: the bucket lacks fifteen.
    #[test]
    fn two_leases_together_are_worth_no_more_than_each_was() {
        let leases = Leases::default();
        let ask = ask(7);
        leases.take(&ask, 0);
        for (owed, sent_at) in [(100 * I, 0), (30 * I, 90 * I)] {
            let grant = Grant {
                requests: 10,
                owed,
                sent_at,
                server_now: sent_at / 1000,
            };
            leases.grant(&ask.place, grant);
        }
        let taken = (0..20).filter(|_| matches!(leases.take(&ask, 105 * I), Stand::Taken(_)));
        assert_eq!(taken.count(), 5);
    }

    #[test]
    fn what_others_refused_comes_back_and_what_idles_ends() {
        let leases = Leases::default();
        let ask = ask(7);
        leases.take(&ask, 0);
        let grant = Grant {
            requests: 1,
            owed: 90 * I,
            sent_at: 0,
            server_now: 5,
        };
        leases.grant(&ask.place, grant);
        let Stand::Taken(taken) = leases.take(&ask, I) else {
            panic!("there was one")
        };
        assert_eq!(leases.take(&ask, I), Stand::Ask(0));
        leases.put_back(&ask, taken);
        assert_eq!(leases.end_idle(10 * I, 2 * I), []);
        let unspent = Unspent {
            id: ask.place.id(),
            requests: 1,
            server_full_at: 90_005,
            interval: I,
        };
        assert_eq!(leases.end_idle(10 * I, 30 * I), [unspent]);
        assert!(leases.is_empty());
    }

    #[test]
    fn keys_are_watched_up_to_a_bound_and_forgotten_when_nobody_asks() {
        let leases = Leases::default();
        let watched = || {
            leases
                .shards
                .iter()
                .map(|s| s.lock().unwrap().len())
                .sum::<usize>()
        };
        for key in 0..40_000 {
            leases.take(&ask(key), 0);
        }
        assert_eq!(watched(), SHARDS * MOST_OF_SHARD);
        for key in 50_000..50_100 {
            leases.take(&ask(key), 2 * SECOND);
        }
        assert!(watched() < SHARDS * MOST_OF_SHARD);
    }
}

//! Decisions under a model checker: in every order in which threads can take the locks.

use std::sync::Arc;

use loom::{
    model::Builder,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    By, Quota, Tier,
    asked::{Ask, Asked, OpenAsk, Place},
    keys::{KeyMaker, Owner, Sort},
    limiter::{Permit, decide},
    rule::Rule,
    shard::{Lock, Shard},
    table::Table,
    tier::Limit,
};

impl Lock for Mutex<Shard> {
    type Guard<'a> = MutexGuard<'a, Shard>;

    fn around(shard: Shard) -> Self {
        Self::new(shard)
    }

    fn hold(&self) -> MutexGuard<'_, Shard> {
        self.lock().unwrap()
    }
}

type Modelled = Table<Mutex<Shard>>;

const NOW: u64 = 1_000_000_000_000;
const MINUTE: u64 = 60_000_000_000;

/// Two parties that are at home in different shards, each with two sessions.
struct Made {
    keys: KeyMaker,
    parties: [Owner; 2],
    sessions: [[Owner; 2]; 2],
}

fn made() -> Made {
    let keys = KeyMaker::new().unwrap();
    let mask = keys.mask(0);
    let homes = |bit: u64| {
        let named = |n: u64| keys.owner(Sort::User, [n.to_le_bytes().as_slice()]);
        let is_there = |owner: &Owner| mask.key(owner).home & 1 == bit;
        (0..).map(named).find(is_there).unwrap()
    };
    let parties = [homes(0), homes(1)];
    let sessions = parties.map(|party| {
        [b"one", b"two"].map(|id| keys.within(&party, Sort::Session, [id.as_slice()]))
    });
    Made {
        keys,
        parties,
        sessions,
    }
}

/// Tiers of a burst each: for all, for each account, for a tool of it, for each session.
fn rates(made: &Made, bursts: [u32; 4]) -> Vec<Rule> {
    let [all, account, tool, session] =
        bursts.map(|n| Quota::per_minute(1).unwrap().burst(n).unwrap());
    let tiers = [
        Tier::rate("global", all),
        Tier::rate("account", account).by(By::account()),
        Tier::rate("tool", tool).by(By::account()).tools(["t"]),
        Tier::rate("session", session)
            .by(By::account())
            .by(By::session()),
    ];
    rules(made, tiers)
}

fn rules<const N: usize>(made: &Made, tiers: [Tier; N]) -> Vec<Rule> {
    let numbered = (0..).zip(tiers);
    numbered
        .map(|(number, tier)| Rule::new(&tier, number, &made.keys).unwrap())
        .collect()
}

/// What a call asks: for each rule, whose.
fn asked<const N: usize>(rules: &[Rule], owners: [Option<&Owner>; N]) -> Asked {
    let mut asked = Asked::default();
    for (tier, (rule, owner)) in rules.iter().zip(owners).enumerate() {
        let place = Place::of(rule.mask, owner);
        match rule.limit {
            Limit::Rate(quota) => asked.rates.push(Ask::new(tier, place, quota, 1)),
            Limit::Open(most) => asked.open.push(OpenAsk {
                tier,
                place,
                most,
                is_shadow: false,
                is_refused: false,
                count: 0,
            }),
        }
    }
    asked
}

/// Requests that were charged to a bucket.
fn charged(table: &Modelled, rule: &Rule, owner: Option<&Owner>) -> u64 {
    let Limit::Rate(quota) = rule.limit else {
        return 0;
    };
    let mut asked = [Ask::new(0, Place::of(rule.mask, owner), quota, 1)];
    let held = table.hold(&mut asked, &mut [], NOW);
    drop(held);
    asked[0].full_at.saturating_sub(NOW) / MINUTE
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn seed_r2_concurrent_decisions_over_four_tiers_admit_exactly_the_allowed_number() {
    let made = Arc::new(made());
    let rules = Arc::new(rates(&made, [2, 2, 2, 1]));
    check(move || {
        let table = Arc::new(Modelled::of(2, 64));
        // Ann twice in one session, which has one, and Bob: in whatever order, two of three.
        let threads = [(0, 0), (0, 0), (1, 1)].map(|(party, session)| {
            let (made, rules, table) = (made.clone(), rules.clone(), table.clone());
            thread::spawn(move || {
                let party_of = Some(&made.parties[party]);
                let session = Some(&made.sessions[party][session]);
                let mut asked = asked(&rules, [None, party_of, party_of, session]);
                decide(&table, &rules, &mut asked, NOW).is_ok()
            })
        });
        let admitted = threads.map(|thread| thread.join().unwrap());
        assert_eq!(admitted.iter().filter(|is| **is).count(), 2);
        assert!(admitted[2], "there was room for Bob");
        // Nothing was charged for the one that was refused, in no tier.
        for (rule, expected) in [(0, [2, 2]), (1, [1, 1]), (2, [1, 1])] {
            let owner = |party: usize| (rule > 0).then(|| &made.parties[party]);
            let found = [0, 1].map(|party| charged(&table, &rules[rule], owner(party)));
            assert_eq!(found, expected, "of {}", rules[rule].name);
        }
        let of = |party: usize, session: usize| {
            charged(&table, &rules[3], Some(&made.sessions[party][session]))
        };
        assert_eq!([of(0, 0), of(0, 1), of(1, 0), of(1, 1)], [1, 0, 0, 1]);
    });
}

#[test]
fn where_the_tier_of_all_is_short_it_is_never_overdrawn_and_never_left_over() {
    let made = Arc::new(made());
    let rules = Arc::new(rates(&made, [1, 2, 2, 2]));
    check(move || {
        let table = Arc::new(Modelled::of(2, 64));
        let threads = [0, 1].map(|party| {
            let (made, rules, table) = (made.clone(), rules.clone(), table.clone());
            thread::spawn(move || {
                let party_of = Some(&made.parties[party]);
                let session = Some(&made.sessions[party][0]);
                let mut asked = asked(&rules, [None, party_of, party_of, session]);
                decide(&table, &rules, &mut asked, NOW).is_ok()
            })
        });
        let admitted = threads.map(|thread| thread.join().unwrap());
        assert_eq!(admitted.iter().filter(|is| **is).count(), 1);
        assert_eq!(charged(&table, &rules[0], None), 1);
        for (party, admitted) in admitted.into_iter().enumerate() {
            let owner = Some(&made.parties[party]);
            let found = [1, 2].map(|rule| charged(&table, &rules[rule], owner));
            assert_eq!(found, [u64::from(admitted); 2]);
        }
    });
}

#[test]
fn rl_9_places_are_taken_with_the_rates_or_not_at_all_and_all_come_back() {
    let made = Arc::new(made());
    let tiers = [
        Tier::rate("account", Quota::per_minute(1).unwrap().burst(9).unwrap()).by(By::account()),
        Tier::open("open", 1).by(By::account()),
        Tier::open("open_in_all", 2),
    ];
    let rules = Arc::new(rules(&made, tiers));
    check(move || {
        let table = Arc::new(Modelled::of(2, 64));
        let open = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
        let threads = [0, 0, 1].map(|party| {
            let (made, rules, table) = (made.clone(), rules.clone(), table.clone());
            let open = open[party].clone();
            thread::spawn(move || {
                let owner = Some(&made.parties[party]);
                let mut asked = asked(&rules, [owner, owner, None]);
                let is_admitted = decide(&table, &rules, &mut asked, NOW).is_ok();
                let permit = is_admitted.then(|| Permit::of(&table, &rules, &asked).unwrap());
                if permit.is_some() {
                    assert_eq!(open.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                    open.fetch_sub(1, Ordering::SeqCst);
                }
                drop(permit);
                is_admitted
            })
        });
        let admitted = threads.map(|thread| thread.join().unwrap());
        assert!(admitted[0] || admitted[1]);
        assert!(admitted[2], "another's places are its own");
        let ann = u64::from(admitted[0]) + u64::from(admitted[1]);
        assert_eq!(charged(&table, &rules[0], Some(&made.parties[0])), ann);
        assert_eq!(charged(&table, &rules[0], Some(&made.parties[1])), 1);
        let mut asked = asked(
            &rules,
            [Some(&made.parties[0]), Some(&made.parties[0]), None],
        );
        assert!(
            decide(&table, &rules, &mut asked, NOW).is_ok(),
            "all came back"
        );
        assert_eq!(asked.open.iter().map(|ask| ask.count).sum::<u32>(), 0);
    });
}

//! Who gets through when others push.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use bartizan_ratelimit::RateLimits;
use proptest::{collection::vec, prelude::*};

use crate::common::*;

#[tokio::test]
async fn seed_r2_an_attacker_at_200_times_its_cap_leaves_a_victim_at_1_per_second_whole() {
    let clock = clock();
    let limits = RateLimits::builder().clock(clock.clone());
    let limits = limits.global(quota(600, 10)).account(quota(60, 5));
    let service = guarded(limits.build().unwrap());
    let (mut attacks, mut served) = (0, 0);
    for second in 0..60 {
        // 200 a second, evenly, and the victim amid them.
        for n in 0..200 {
            let answer = tool("t").by("mallory").to(&service).await;
            attacks += usize::from(answer.status() == 200);
            if n == second * 3 {
                let answer = tool("t").by("victim").to(&service).await;
                served += usize::from(answer.status() == 200);
            }
            clock.advance(Duration::from_millis(5));
        }
    }
    assert_eq!(served, 60);
    assert!((60..=65).contains(&attacks), "{attacks}");
}

#[tokio::test]
async fn seed_r12_refusals_do_not_prolong_the_wait() {
    let clock = clock();
    let limits = RateLimits::builder()
        .clock(clock.clone())
        .account(quota(60, 1));
    let service = guarded(limits.build().unwrap());
    tool("t").by("ann").to(&service).await;
    for _ in 0..1000 {
        let answer = tool("t").by("ann").to(&service).await;
        assert_eq!(header(&answer, "retry-after"), Some("1"));
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(tool("t").by("ann").to(&service).await.status(), 200);
}

#[tokio::test]
async fn seed_r3_inventing_parties_gains_no_fresh_burst_once_the_table_is_full() {
    let limits = RateLimits::builder().clock(clock()).max_keys(1000);
    let service = guarded(limits.account(quota(60, 3)).build().unwrap());
    tool("t").by("known").to(&service).await;
    let mut admitted = 0;
    for number in 0..10_000 {
        let answer = tool("t")
            .by(&format!("invented-{number}"))
            .to(&service)
            .await;
        admitted += usize::from(answer.status() == 200);
    }
    // One each while there is room, and then one bucket for all others.
    assert!(admitted <= 1003, "{admitted}");
    for expected in [200, 200, 429] {
        let answer = tool("t").by("known").to(&service).await;
        assert_eq!(answer.status(), expected, "the known bucket is as it was");
    }
}

/// Session ids are free to mint, and each of these keeps a bucket for a minute.
#[tokio::test]
async fn se_7_an_account_that_mints_sessions_leaves_the_new_sessions_of_others_alone() {
    let limits = RateLimits::builder().clock(clock()).max_keys(1000);
    let limits = limits.account(quota(60, 5000)).session(quota(1, 2));
    let service = guarded(limits.build().unwrap());
    for number in 0..5000 {
        let ask = tool("t").by("mallory");
        let session = number.to_string();
        ask.header("mcp-session-id", &session).to(&service).await;
    }
    for number in 0..20 {
        for _ in 0..2 {
            let ask = tool("t").by(&format!("user-{number}"));
            let answer = ask.header("mcp-session-id", "s").to(&service).await;
            assert_eq!(answer.status(), 200, "user-{number}");
        }
    }
}

#[tokio::test]
async fn se_7_sessions_for_which_there_is_no_room_share_a_bucket_of_their_account() {
    let limits = RateLimits::builder().clock(clock()).max_keys(1000);
    let limits = limits.account(quota(60, 5000)).session(quota(1, 2));
    let service = guarded(limits.build().unwrap());
    let mut admitted = 0;
    for number in 0..2000 {
        let session = number.to_string();
        let ask = tool("t").by("mallory").header("mcp-session-id", &session);
        admitted += usize::from(ask.to(&service).await.status() == 200);
    }
    assert!(
        admitted <= 500,
        "{admitted} sessions had a bucket of their own"
    );
}

#[test]
fn concurrent_decisions_over_four_tiers_admit_exactly_the_allowed_number() {
    const THREADS: usize = 8;
    let limits = RateLimits::builder().clock(clock());
    let limits = limits.global(quota(60, 150)).account(quota(60, 60));
    let limits = limits
        .tool("t", quota(60, 40))
        .session(quota(60, 25))
        .build()
        .unwrap();
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (limits, admitted) = (limits.clone(), &admitted);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let service = guarded(limits);
                for round in 0..200 {
                    // Two accounts, each with two sessions, so that threads meet in every tier.
                    let subject = ["ann", "bob"][(number + round) % 2];
                    let session = ["one", "two"][(number / 2 + round / 2) % 2];
                    let ask = tool("t").by(subject).header("mcp-session-id", session);
                    let answer = runtime.block_on(ask.to(&service));
                    admitted.fetch_add(usize::from(answer.status() == 200), Ordering::Relaxed);
                }
            });
        }
    });
    // Each account has 40 calls of the tool, of which a session may make 25.
    assert_eq!(admitted.load(Ordering::Relaxed), 80);
    let tiers = limits.statistics();
    let global = tiers.iter().find(|tier| tier.tier == "global").unwrap();
    assert_eq!(
        global.current_tokens,
        Some(70),
        "nothing was charged for a refusal"
    );
}

/// The obviously right limiter: every bucket a number of nanoseconds' worth, and all are looked at
/// before any is touched.
#[derive(Default, Clone)]
struct Model {
    buckets: HashMap<(&'static str, String), (u128, u64)>,
}

impl Model {
    fn ask(&mut self, now: u64, wanted: &[(&'static str, String, u128, u128)]) -> bool {
        for (tier, key, cost, burst) in wanted {
            let bucket = self.buckets.entry((tier, key.clone()));
            let (parts, at) = bucket.or_insert((cost * burst, now));
            *parts = (cost * burst).min(*parts + u128::from(now - *at));
            *at = now;
        }
        let of = |tier: &&'static str, key: &String| (*tier, key.clone());
        let all = wanted
            .iter()
            .all(|(tier, key, cost, _)| self.buckets[&of(tier, key)].0 >= *cost);
        if all {
            for (tier, key, cost, _) in wanted {
                if let Some((parts, _)) = self.buckets.get_mut(&of(tier, key)) {
                    *parts -= cost;
                }
            }
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn several_tiers_agree_with_a_slow_and_obviously_right_model(
        bursts in (1_u32..12, 1_u32..8, 1_u32..5, 1_u32..5),
        asks in vec((0_u64..1500, 0_usize..3, 0_usize..3, 0_usize..3), 1..150),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = clock();
        let quotas = [(90, bursts.0), (60, bursts.1), (30, bursts.2), (20, bursts.3)];
        let [global, account, one, session] = quotas.map(|(rate, burst)| quota(rate, burst));
        let limits = RateLimits::builder().clock(clock.clone()).global(global).account(account);
        let limits = limits.tool("one", one).session(session).build().unwrap();
        let service = guarded(limits);
        let (mut model, mut now) = (Model::default(), 0);
        for (millis, subject, name, with_session) in asks {
            let step = if millis % 3 == 0 { 0 } else { millis };
            clock.advance(Duration::from_millis(step));
            now += step * 1_000_000;
            let subject = ["ann", "bob", "carl"][subject];
            let name = ["one", "two", "three"][name];
            let parts = |tier, key: String, index: usize| {
                let (rate, burst) = quotas[index];
                let cost = 60_000_000_000_u64.div_ceil(u64::from(rate));
                (tier, key, u128::from(cost), u128::from(burst))
            };
            let mut wanted = vec![
                parts("global", String::new(), 0),
                parts("account", subject.to_owned(), 1),
            ];
            let mut ask = tool(name).by(subject);
            if name == "one" {
                wanted.push(parts("tool", subject.to_owned(), 2));
            }
            if with_session > 0 {
                let id = format!("s{with_session}");
                wanted.push(parts("session", format!("{subject}/{id}"), 3));
                ask = ask.header("mcp-session-id", &id);
            }
            let answer = runtime.block_on(ask.to(&service));
            let before = model.clone();
            prop_assert_eq!(answer.status() == 200, model.ask(now, &wanted));
            if answer.status() != 200 {
                // RL-2, RL-12: all tiers admit after the wait, and not a nanosecond earlier.
                let wait = denial(&answer).retry_after().unwrap().as_nanos() as u64;
                prop_assert!(!before.clone().ask(now + wait - 1, &wanted));
                prop_assert!(before.clone().ask(now + wait, &wanted));
                let told = header(&answer, "ratelimit").and_then(|told| told.split_once(";t="));
                if let Some((_, window)) = told {
                    // RL-4: `t` is never longer.
                    let after = header(&answer, "retry-after").unwrap();
                    prop_assert!(window.parse::<u64>().unwrap() <= after.parse().unwrap());
                }
            }
        }
    }
}

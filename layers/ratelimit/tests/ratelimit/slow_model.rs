//! All sorts of tiers at once, beside a slow and obviously right model: costs, debts, shadow, what is open.

use std::{collections::HashMap, time::Duration};

use bartizan_core::Verdict;
use bartizan_ratelimit::{By, Cost, RateLimits, Tier};
use proptest::{collection::vec, prelude::*};

use crate::common::*;

/// Tokens as nanoseconds' worth; less than nothing is a debt.
#[derive(Clone, Copy)]
struct Bucket {
    parts: i128,
    at: u64,
}

/// What a call asks of a tier: whose bucket, nanoseconds of a token, the burst, the cost.
struct Wanted {
    key: (&'static str, &'static str),
    token: i128,
    burst: i128,
    cost: i128,
    is_shadow: bool,
}

#[derive(Default, Clone)]
struct Model {
    buckets: HashMap<(&'static str, &'static str), Bucket>,
    open: HashMap<&'static str, usize>,
}

impl Model {
    fn fill(&mut self, now: u64, wanted: &[Wanted]) {
        for w in wanted {
            let full = w.token * w.burst;
            let bucket = self.buckets.entry(w.key);
            let bucket = bucket.or_insert(Bucket {
                parts: full,
                at: now,
            });
            bucket.parts = full.min(bucket.parts + i128::from(now - bucket.at));
            bucket.at = now;
        }
    }

    fn admits(&self, w: &Wanted) -> bool {
        self.buckets[&w.key].parts >= w.token * w.cost.min(w.burst)
    }

    /// The status, and whether a tier in shadow would have refused.
    fn ask(
        &mut self,
        now: u64,
        who: &'static str,
        wanted: &[Wanted],
        most: (usize, usize),
    ) -> (u16, bool) {
        self.fill(now, wanted);
        let (shadow, real): (Vec<_>, Vec<_>) = wanted.iter().partition(|w| w.is_shadow);
        if !real.iter().all(|w| self.admits(w)) {
            return (429, false);
        }
        let in_all: usize = self.open.values().sum();
        let own = self.open.get(who).copied().unwrap_or(0);
        match (own >= most.0, in_all >= most.1) {
            (true, _) => return (429, false),
            (_, true) => return (503, false),
            _ => {}
        }
        let would_refuse = !shadow.iter().all(|w| self.admits(w));
        for w in real.into_iter().chain(shadow) {
            if self.admits(w)
                && let Some(bucket) = self.buckets.get_mut(&w.key)
            {
                bucket.parts -= w.token * w.cost;
            }
        }
        *self.open.entry(who).or_default() += 1;
        (200, would_refuse)
    }
}

const MINUTE: u64 = 60_000_000_000;

fn wanted(name: &'static str, who: &'static str, (rate, burst): (u32, u32), cost: usize) -> Wanted {
    Wanted {
        key: (name, who),
        token: i128::from(MINUTE.div_ceil(u64::from(rate))),
        burst: i128::from(burst),
        cost: cost as i128,
        is_shadow: name == "shadow",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn costs_debts_shadow_and_open_requests_agree_with_the_model(
        bursts in (3_u32..15, 2_u32..9, 2_u32..12, 1_u32..4),
        (own, all) in (1_usize..4, 2_usize..6),
        asks in vec((0_u64..2500, 0_usize..3, 0_usize..3, 0_usize..400, 0_usize..4), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = clock();
        let quotas = [(90, bursts.0), (60, bursts.1), (600, bursts.2), (30, bursts.3)];
        let [global, account, bytes, shadow] = quotas.map(|(rate, burst)| quota(rate, burst));
        let by_account = |name, quota| Tier::rate(name, quota).by(By::account());
        let limits = RateLimits::builder()
            .clock(clock.clone())
            .global(global)
            .tier(by_account("work", account).cost(Cost::each(1).tool("dear", 3)))
            .tier(by_account("bytes", bytes).cost(Cost::each(1).body_bytes(50)))
            .tier(by_account("shadow", shadow).shadow())
            .open_per_account(own as u32)
            .open_in_all(all as u32)
            .low_priority_tool("low")
            .shed_from(50)
            .build()
            .unwrap();
        let service = guarded(limits.clone());
        let (mut model, mut now, mut held) = (Model::default(), 0, Vec::new());
        for (millis, who, name, size, dropped) in asks {
            let step = if millis % 3 == 0 { 0 } else { millis };
            clock.advance(Duration::from_millis(step));
            now += step * 1_000_000;
            if dropped < held.len() {
                let (gone, answer) = held.swap_remove(dropped);
                drop::<Answer>(answer);
                *model.open.get_mut(gone).unwrap() -= 1;
            }
            let who = ["ann", "bob", "carl"][who];
            let name = ["t", "dear", "low"][name];
            let text = "x".repeat(size);
            let params = format!(r#"{{"name":"{name}","arguments":{{"text":"{text}"}}}}"#);
            let ask = method("tools/call", &params).by(who);
            let wanted = [
                wanted("global", "", quotas[0], 1),
                wanted("work", who, quotas[1], if name == "dear" { 3 } else { 1 }),
                wanted("bytes", who, quotas[2], 1 + ask.body_bytes().div_ceil(50)),
                wanted("shadow", who, quotas[3], 1),
            ];
            let most = (own, if name == "low" { (all / 2).max(1) } else { all });
            let before = model.clone();
            let (answer, findings) = runtime.block_on(ask.traced(&service));
            let is_noted = findings.iter().any(|f| f.verdict == Verdict::Noted);
            let got = (answer.status().as_u16(), is_noted);
            prop_assert_eq!(got, model.ask(now, who, &wanted, most));
            if got.0 == 200 {
                held.push((who, answer));
                continue;
            }
            // Nothing is charged, and after the wait all rates admit.
            let wait = denial(&answer).retry_after().unwrap().as_nanos() as u64;
            let mut later = before;
            later.open.clear();
            prop_assert_eq!(later.ask(now + wait, who, &wanted, most).0, 200);
        }
        let open = limits.statistics().into_iter().find(|tier| tier.tier == "open_in_all");
        prop_assert_eq!(open.unwrap().open, Some(held.len() as u64));
    }
}

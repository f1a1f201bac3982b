//! The script, on a real Redis, beside the limiter that keeps its buckets in memory: under the same times they decide
//! the same.

use std::sync::Mutex;

use bartizan_kit::RedisServer;
use bartizan_redis::{Cmd, Redis, Script, Value};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use super::{Outage, script};
use crate::{
    By, Cost, Quota, Tier,
    asked::{Ask, Asked, Place},
    keys::{KeyMaker, Sort},
    limiter::{self, Admitted, Exhausted},
    rule::Rule,
    shard::Shard,
    table::Table,
};

const MICRO: u64 = 1000;
/// Where the clock of the model begins: in the year 2027, as a server's would.
const BEGIN: u64 = 1_800_000_000_000_000;

/// A request: so many microseconds after the one before, by one of the callers, of one of the tools.
type Step = (u64, u64, usize);

fn rules() -> Vec<Rule> {
    let keys = KeyMaker::new().unwrap();
    let quota = |per_minute, burst| Quota::per_minute(per_minute).unwrap().burst(burst).unwrap();
    let cost = Cost::each(1).tool("dear", 3).tool("dearest", 9);
    let tiers = [
        Tier::rate("plain", quota(7, 4)),
        Tier::rate("costs", quota(13, 5)).cost(cost),
        Tier::rate("dark", quota(3, 2)).shadow(),
        Tier::rate("watched", quota(11, 3)).looked_at(),
    ];
    let rule = |tier: Tier| {
        let tier = tier.by(By::account());
        let rule = Rule::new(&tier, 0, &keys).unwrap();
        rule.shared(&tier, Outage::Closed, &keys, "model").unwrap()
    };
    tiers.map(rule).into()
}

struct Model {
    rules: Vec<Rule>,
    keys: KeyMaker,
    table: Table<Mutex<Shard>>,
}

impl Model {
    fn new() -> Self {
        Self {
            rules: rules(),
            keys: KeyMaker::new().unwrap(),
            table: Table::of(1, 1000),
        }
    }

    fn asks(&self, caller: u64, costs: usize) -> Vec<Ask> {
        let owner = self.keys.numbered(Sort::Address, u128::from(caller));
        let cost = [1, 3, 9][costs % 3];
        let ask = |(tier, rule): (usize, &Rule)| {
            let crate::tier::Limit::Rate(quota) = rule.limit else {
                panic!("all are rates");
            };
            let cost = match tier {
                1 => cost,
                3 => 0,
                _ => 1,
            };
            Ask {
                most_owed: rule.most_owed,
                is_shadow: rule.is_shadow,
                ..Ask::new(tier, Place::of(rule.mask, Some(&owner)), quota, cost)
            }
        };
        self.rules.iter().enumerate().map(ask).collect()
    }
}

/// All that is told of a decision.
#[derive(Debug, PartialEq)]
struct Told {
    refused_by: Option<(String, u128)>,
    nearest: Option<(String, u32, Option<u64>, u64)>,
    wait: u64,
    would_refuse: bool,
}

fn told(decided: Result<Admitted<'_>, Exhausted<'_>>) -> Told {
    match decided {
        Ok(admitted) => Told {
            refused_by: None,
            nearest: admitted.nearest.map(|s| {
                (
                    s.rule.name.to_string(),
                    s.remaining,
                    s.until_more,
                    s.until_full,
                )
            }),
            wait: admitted.wait,
            would_refuse: admitted.would_refuse.is_some(),
        },
        Err(exhausted) => Told {
            refused_by: Some((exhausted.rule.name.to_string(), exhausted.wait.as_nanos())),
            nearest: exhausted.told.map(|s| {
                (
                    s.rule.name.to_string(),
                    s.remaining,
                    s.until_more,
                    s.until_full,
                )
            }),
            wait: 0,
            would_refuse: false,
        },
    }
}

/// The script with a time that it is told.
fn timed() -> Script {
    let text = script::DECIDE.text();
    let said = text.replace("redis.call('TIME')", "{0, ARGV[#ARGV]}");
    assert_ne!(said, text);
    Script::new(said.leak(), "")
}

async fn by_redis<'r>(
    redis: &Redis,
    script: &Script,
    model: &'r Model,
    asks: &mut [Ask],
    now: u64,
) -> Result<Admitted<'r>, Exhausted<'r>> {
    let names = asks.iter().map(|ask| match &ask.place {
        Place::Keyed(key, _) => format!("{:?}", key.id),
        Place::Single(id) => format!("{id:?}"),
    });
    let names: Vec<_> = names.collect();
    let mut arguments = script::arguments(asks.iter().map(|ask| (ask, 0)));
    arguments.push(now.to_string().into_bytes());
    let answer = redis.run_script(script, &names, &arguments).await.unwrap();
    let decided = script::read(&answer, asks.len()).unwrap();
    for (ask, bucket) in asks.iter_mut().zip(&decided.buckets) {
        ask.full_at = now * MICRO + bucket.owed;
    }
    let (admitted, exhausted) = limiter::weigh(&model.rules, asks, now * MICRO);
    assert_eq!(decided.is_admitted, exhausted.is_none());
    exhausted.map_or(Ok(admitted), Err)
}

async fn agree(redis: &Redis, script: &Script, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let model = Model::new();
    let mut now = BEGIN;
    for (step, caller, cost) in steps {
        // Half of the steps are none, so that bursts happen.
        now += if step % 2 == 0 { 0 } else { step };
        let mut asks = model.asks(caller, cost);
        let theirs = told(by_redis(redis, script, &model, &mut asks, now).await);
        let mut asked = Asked {
            rates: model.asks(caller, cost).into(),
            ..Asked::default()
        };
        let ours = told(limiter::decide(
            &model.table,
            &model.rules,
            &mut asked,
            now * MICRO,
        ));
        prop_assert_eq!(theirs, ours, "at {}", now - BEGIN);
    }
    Ok(())
}

fn on_redis(test: impl AsyncFnOnce(Redis, RedisServer)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        if let Some(server) = RedisServer::start().await {
            test(Redis::builder(&server.url()).build().unwrap(), server).await;
        }
    });
}

#[test]
fn the_script_decides_what_the_limiter_in_memory_decides() {
    on_redis(async |redis, _server| {
        let script = timed();
        let config = ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(64)
        };
        let steps = vec((0_u64..20_000_000, 0_u64..2, 0_usize..3), 1..60);
        let redis = &redis;
        TestRunner::new(config)
            .run(&steps, |steps| {
                tokio::task::block_in_place(|| {
                    tokio::runtime::Handle::current().block_on(agree(redis, &script, steps))
                })
            })
            .unwrap();
    });
}

/// A bucket that was charged under a clock that steps.
#[test]
fn a_clock_that_steps_back_admits_nobody_more_and_keeps_nobody_out_for_longer_than_a_bucket_fills()
{
    on_redis(async |redis, _server| {
        let (model, script) = (Model::new(), timed());
        let mut now = BEGIN;
        let ask = async |now: u64| {
            let mut asks = model.asks(0, 0);
            asks.truncate(1);
            by_redis(&redis, &script, &model, &mut asks, now)
                .await
                .is_ok()
        };
        for _ in 0..2 {
            assert!(ask(now).await);
        }
        now -= 86_400_000_000;
        assert!(!ask(now).await, "two were left");
        let interval = 60_000_000_u64.div_ceil(7);
        assert!(!ask(now + interval - 1).await);
        assert!(ask(now + interval).await, "it is paid back from now on");
        assert!(!ask(now + interval).await);
        // Forward it is a full bucket, and no more.
        now += 365 * 86_400_000_000;
        for admits in [true, true, true, true, false] {
            assert_eq!(ask(now).await, admits);
        }
    });
}

#[test]
fn the_scripts_hashes_are_their_own() {
    on_redis(async |redis, server| {
        for script in [script::DECIDE, script::RETURN] {
            let hash = server.command(&["SCRIPT", "LOAD", script.text()]);
            assert_eq!(hash, script.sha1());
        }
        let mut count = Cmd::new();
        count.arg("SCRIPT").arg("EXISTS").arg(script::DECIDE.sha1());
        let known = redis.run(&count).await.unwrap();
        assert_eq!(known, Value::Array(vec![Value::Int(1)]));
    });
}

//! What becomes of requests while Redis is away.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_core::{Event, Events};
use bartizan_kit::RedisServer;
use bartizan_ratelimit::{Fleet, FleetBuilder, Outage, RateLimits};
use bartizan_redis::Redis;

use super::{
    common::*,
    fleet::{few, secret},
};

struct Node {
    limits: RateLimits,
    heard: Arc<Mutex<Vec<&'static str>>>,
}

impl Node {
    /// It waits longer than by default, since the machine that tests run on may be busy.
    fn new(redis: &RedisServer, outage: Outage, of_tool: u32) -> Self {
        let longer = |fleet: FleetBuilder| fleet.wait(Duration::from_millis(100));
        Self::with(redis, outage, of_tool, longer)
    }

    fn with(
        redis: &RedisServer,
        outage: Outage,
        of_tool: u32,
        fleet: impl FnOnce(FleetBuilder) -> FleetBuilder,
    ) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = heard.clone();
        let events = Events::to(move |event: &Event| sink.lock().unwrap().push(event.kind));
        let redis = Redis::builder(&redis.url()).build().unwrap();
        let fleet = fleet(Fleet::builder(redis, secret()).replicas(2).events(events));
        let limits = RateLimits::builder()
            .account(few(20))
            .tool("t", few(of_tool));
        let limits = limits
            .shared("account", outage)
            .fleet(&fleet.build().unwrap());
        Self {
            limits: limits.build().unwrap(),
            heard,
        }
    }

    /// The statuses of calls, of which none takes much longer than the wait.
    async fn ask(&self, calls: usize) -> Vec<u16> {
        self.ask_by("ann", calls).await
    }

    async fn ask_by(&self, subject: &str, calls: usize) -> Vec<u16> {
        let service = guarded(self.limits.clone());
        let mut statuses = Vec::new();
        for _ in 0..calls {
            let begun = Instant::now();
            let answer = tool("t").by(subject).to(&service).await;
            let took = begun.elapsed();
            assert!(took < Duration::from_millis(500), "{took:?}");
            if answer.status() == 503 {
                let wait: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
                assert!((1..=2).contains(&wait), "{wait}");
            }
            statuses.push(answer.status().as_u16());
        }
        statuses
    }

    /// Until Redis decides again.
    async fn recovers(&self) {
        for _ in 0..100 {
            self.ask(1).await;
            if !self.limits.snapshot().fleet.unwrap().is_away {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it stays away");
    }

    fn heard(&self) -> Vec<&'static str> {
        self.heard.lock().unwrap().clone()
    }
}

/// Until it answers in time, which the first ones may not on a busy machine.
async fn warm(node: &Node) {
    for _ in 0..100 {
        node.ask_by("bob", 1).await;
        let fleet = node.limits.snapshot().fleet.unwrap();
        if fleet.trips > fleet.faults && !fleet.is_away {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("Redis never answered");
}

/// By the runtime's own time, which goes on only while there is nothing else to do: how busy the machine is makes no
/// difference.
#[tokio::test]
async fn by_default_a_request_waits_20_milliseconds_for_redis_and_no_longer() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, Outage::Closed, 4000, |fleet| fleet);
    warm(&node).await;
    let service = guarded(node.limits.clone());
    let faults = || node.limits.snapshot().fleet.unwrap().faults;
    let before = faults();
    redis.hang();
    tokio::time::pause();
    for asked in 1..=5 {
        let begun = tokio::time::Instant::now();
        let answer = tool("t").by("ann").to(&service).await;
        let waited = begun.elapsed();
        assert_eq!(answer.status(), 503);
        assert_eq!(faults(), before + asked);
        // Timers count whole milliseconds.
        assert!((20..=21).contains(&waited.as_millis()), "{waited:?}");
    }
    assert!(node.limits.snapshot().fleet.unwrap().is_away);
}

async fn outage(policy: Outage, expected: &[u16]) {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, policy, 4000);
    warm(&node).await;
    redis.hang();
    assert_eq!(node.ask(expected.len()).await, expected, "it hangs");
    assert!(node.limits.snapshot().fleet.unwrap().is_away);
    assert_eq!(node.heard(), ["shared_limits_away"]);
    let trips = node.limits.snapshot().fleet.unwrap().trips;
    node.ask(20).await;
    let more = node.limits.snapshot().fleet.unwrap().trips - trips;
    assert!(more <= 1, "{more} asked while one may try at most");
    redis.go_on();
    node.recovers().await;
    assert_eq!(node.heard(), ["shared_limits_away", "shared_limits_back"]);
    redis.kill();
    node.ask(10).await;
    assert!(node.limits.snapshot().fleet.unwrap().is_away);
    redis.restart().await;
    node.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tier_refuses_with_503_in_bounded_time_while_redis_hangs_or_is_dead() {
    outage(Outage::Closed, &[503; 12]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tier_limits_nothing_meanwhile() {
    outage(Outage::Open, &[200; 12]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_share_is_the_part_of_one_process() {
    let mut expected = [200; 14];
    expected[10..].fill(429);
    outage(Outage::LocalShare, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_closed_tier_refuses_is_charged_nowhere_here() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, Outage::Closed, 4000);
    warm(&node).await;
    let count = |tool| {
        let statistics = node.limits.statistics();
        let tier = statistics
            .into_iter()
            .find(|tier| tier.tool.as_deref() == tool);
        tier.unwrap().total_requests
    };
    let before = count(Some("t"));
    redis.hang();
    assert!(node.ask(50).await.iter().all(|status| *status == 503));
    assert_eq!(count(Some("t")), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiers_that_are_not_shared_limit_as_before_while_redis_is_away() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, Outage::Open, 60);
    warm(&node).await;
    redis.hang();
    let statuses = node.ask(70).await;
    assert_eq!(statuses[0..10], [200; 10]);
    assert_eq!(statuses[60..], [429; 10]);
}

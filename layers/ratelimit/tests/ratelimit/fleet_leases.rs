//! Leases: what processes pay for in advance, so that they need not ask.

use std::time::Duration;

use bartizan_kit::RedisServer;
use bartizan_ratelimit::{Fleet, FleetSnapshot, Outage, Quota, RateLimits};

use super::{
    common::*,
    fleet::{few, fleet},
};

struct Node {
    limits: RateLimits,
    fleet: Fleet,
}

impl Node {
    fn new(redis: &RedisServer, quota: Quota) -> Self {
        let fleet = fleet(redis).leases().build().unwrap();
        let limits = RateLimits::builder()
            .account(quota)
            .other_tools(few(80_000));
        let limits = limits.shared("account", Outage::Closed).fleet(&fleet);
        Self {
            limits: limits.build().unwrap(),
            fleet,
        }
    }

    async fn admitted(&self, calls: usize) -> usize {
        let service = guarded(self.limits.clone());
        let mut admitted = 0;
        for _ in 0..calls {
            let answer = tool("t").by("ann").to(&service).await;
            admitted += usize::from(answer.status() == 200);
        }
        admitted
    }

    fn trips(&self) -> u64 {
        let FleetSnapshot { trips, .. } = self.fleet.snapshot();
        trips
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_key_needs_one_round_trip_for_twenty_requests_at_most() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, few(50_000));
    node.admitted(1000).await;
    let before = node.trips();
    assert_eq!(node.admitted(10_000).await, 10_000);
    let trips = node.trips() - before;
    assert!(trips <= 500, "{trips}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_with_leases_together_admit_the_limit_and_no_more() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let nodes: Vec<_> = (0..4).map(|_| Node::new(&redis, few(2000))).collect();
    let nodes = nodes.iter().map(|node| node.admitted(4000));
    let admitted: usize = futures_all(nodes).await.into_iter().sum();
    assert_eq!(
        admitted, 2000,
        "all that was leased was used before anybody was refused for good"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_uses_any_more_returns_and_at_the_end_all_of_it() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let (idle, other) = (Node::new(&redis, few(800)), Node::new(&redis, few(800)));
    let used = idle.admitted(300).await;
    assert_eq!(used, 300);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(other.admitted(900).await, 500);
    redis.command(&["FLUSHALL"]);
    let (ending, other) = (Node::new(&redis, few(800)), Node::new(&redis, few(800)));
    assert_eq!(ending.admitted(300).await, 300);
    // What it asked for in advance has come.
    tokio::time::sleep(Duration::from_millis(100)).await;
    ending.fleet.end_leases().await;
    assert_eq!(other.admitted(900).await, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_used_up_is_refused_without_asking_each_time() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, few(20));
    assert_eq!(node.admitted(30).await, 20);
    let before = node.trips();
    assert_eq!(node.admitted(500).await, 0);
    assert!(node.trips() - before < 50, "{}", node.trips() - before);
    let answer = tool("t").by("ann").to(&guarded(node.limits)).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(
        header(&answer, "ratelimit-policy"),
        Some(r#""account";q=20;w=72000"#)
    );
    let wait: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_for_is_good_while_redis_is_away() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::new(&redis, few(50_000));
    node.admitted(2000).await;
    redis.hang();
    // Few, since a lease is for how often the key was asked for, which is less often on a busy machine.
    assert_eq!(node.admitted(20).await, 20);
}

async fn futures_all<F: Future<Output = usize>>(
    futures: impl IntoIterator<Item = F>,
) -> Vec<usize> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done = vec![None; futures.len()];
    std::future::poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(admitted) = future.as_mut().poll(cx)
            {
                *done = Some(admitted);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

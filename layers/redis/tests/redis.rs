//! Revocations that nodes share, over a real Redis.
//!
//! `scripts/setup.sh` installs it. Without it these tests say that they were skipped; with `CI=true` that is
//! a failure.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_core::{
    Event, Events, FakeClock, Principal,
    auth::{Distrust, Revocations},
};
use bartizan_kit::RedisServer;
use bartizan_redis::{OutOfTouch, Redis, SharedRevocations, SharedRevocationsBuilder};

#[path = "redis/connections.rs"]
mod connections;
#[path = "redis/construction.rs"]
mod construction;
#[path = "redis/following.rs"]
mod following;
#[path = "redis/outages.rs"]
mod outages;
#[path = "redis/sharing.rs"]
mod sharing;
#[cfg(feature = "tls")]
#[path = "redis/tls.rs"]
mod tls;

const I: &str = "https://auth.example.com";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A server among several, with its own list.
struct Node {
    list: Revocations,
    shared: SharedRevocations,
    events: Arc<Mutex<Vec<&'static str>>>,
}

impl Node {
    async fn join(redis: &RedisServer) -> Self {
        let node = Self::with(redis, OutOfTouch::KeepGoing(2 * SECOND), |b| b);
        node.shared.loaded(10 * SECOND).await.unwrap();
        node
    }

    fn with(
        redis: &RedisServer,
        policy: OutOfTouch,
        change: impl FnOnce(SharedRevocationsBuilder) -> SharedRevocationsBuilder,
    ) -> Self {
        // No leeway for other clocks, so that a moved cut is seen.
        let list = Revocations::new().with_skew(Duration::ZERO);
        Self::of(redis, list, policy, change)
    }

    fn of(
        redis: &RedisServer,
        list: Revocations,
        policy: OutOfTouch,
        change: impl FnOnce(SharedRevocationsBuilder) -> SharedRevocationsBuilder,
    ) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let connection = Redis::builder(&redis.url())
            .connect_timeout(SECOND)
            .response_timeout(SECOND)
            .build()
            .unwrap();
        let builder = SharedRevocations::builder(connection, list.clone(), policy);
        let builder = builder.events(Events::to(move |event: &Event| {
            sink.lock().unwrap().push(event.kind);
        }));
        Self {
            list,
            shared: change(builder).start().unwrap(),
            events,
        }
    }

    fn in_an_hour(&self) -> Duration {
        self.list.now() + HOUR
    }

    fn judge(&self, principal: &Principal) -> Verdict {
        match self.list.judge(principal) {
            Ok(()) => Verdict::Good,
            Err(Distrust::Revoked(_)) => Verdict::Revoked,
            Err(_) => Verdict::Unknown,
        }
    }

    async fn comes_to(&self, principal: &Principal, verdict: Verdict) {
        let is_so = || self.judge(principal) == verdict;
        assert!(soon(is_so).await, "never {verdict:?}");
    }

    fn told(&self, kind: &str) -> usize {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| **event == kind).count()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Revoked,
    Unknown,
}

/// A token of Ann's that was issued so many seconds after the epoch.
fn token(id: &str, issued_at: u64) -> Principal {
    let mut claims = serde_json::Map::new();
    claims.insert("iat".into(), issued_at.into());
    claims.insert("sid".into(), "s1".into());
    let principal = Principal::user(I, "ann").credential_id(id);
    principal.claims(claims).build("jwt")
}

async fn soon(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < 15 * SECOND {
        if is_so() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Whether it ends within this time.
async fn within<F: Future>(time: Duration, future: F) -> F::Output {
    tokio::time::timeout(time, future).await.expect("in time")
}

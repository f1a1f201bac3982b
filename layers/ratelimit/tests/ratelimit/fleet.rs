//! Limits that processes share through a real Redis. `scripts/setup.sh` installs it.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use bartizan_core::{Event, Events, FakeClock};
use bartizan_kit::RedisServer;
use bartizan_ratelimit::{
    By, Cost, Fleet, FleetBuilder, Outage, RateLimits, RateLimitsBuilder, Tier,
};
use bartizan_redis::Redis;

use super::common::*;

pub(crate) fn secret() -> Vec<u8> {
    (0..32).collect()
}

/// Patient, since the machine that tests run on may be busy.
pub(crate) fn fleet(redis: &RedisServer) -> FleetBuilder {
    let redis = Redis::builder(&redis.url()).build().unwrap();
    Fleet::builder(redis, secret()).wait(Duration::from_secs(1))
}

/// One process of a fleet.
pub(crate) fn node(redis: &RedisServer, limits: impl Fn() -> RateLimitsBuilder) -> RateLimits {
    let fleet = fleet(redis).build().unwrap();
    limits().fleet(&fleet).build().unwrap()
}

/// One an hour, so that nothing is earned while a test runs.
pub(crate) fn few(burst: u32) -> bartizan_ratelimit::Quota {
    bartizan_ratelimit::Quota::per_hour(1)
        .unwrap()
        .burst(burst)
        .unwrap()
}

/// So many of each account, over the whole fleet.
fn accounts(burst: u32) -> RateLimitsBuilder {
    RateLimits::builder()
        .account(few(burst))
        .shared("account", Outage::Closed)
}

async fn admitted(limits: &RateLimits, calls: usize, by: &str) -> usize {
    let service = guarded(limits.clone());
    let mut admitted = 0;
    for _ in 0..calls {
        admitted += usize::from(tool("t").by(by).to(&service).await.status() == 200);
    }
    admitted
}

#[tokio::test]
async fn seed_r7_all_processes_together_admit_what_one_would() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let (one, other) = (node(&redis, || accounts(5)), node(&redis, || accounts(5)));
    assert_eq!(admitted(&one, 3, "ann").await, 3);
    assert_eq!(admitted(&other, 9, "ann").await, 2);
    assert_eq!(admitted(&one, 9, "ann").await, 0);
    assert_eq!(admitted(&one, 9, "bob").await, 5, "whoever else there is");
    let answer = tool("t").by("ann").to(&guarded(one)).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(
        header(&answer, "ratelimit-policy"),
        Some(r#""account";q=5;w=18000"#)
    );
    let wait: u64 = header(&answer, "retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn what_redis_refuses_charges_nothing_here_and_what_is_refused_here_nothing_there() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let limits = || {
        let limits = RateLimits::builder()
            .account(few(4))
            .tool("t", few(2))
            .tool("u", few(9));
        let sharing = limits.shared("account", Outage::Closed);
        sharing.tier(
            Tier::rate("tenant", few(3))
                .by(By::tenant())
                .shared(Outage::Closed),
        )
    };
    let here = node(&redis, limits);
    let service = guarded(here.clone());
    let ask = async |name: &str| tool(name).by("ann").to(&service).await.status().as_u16();
    assert_eq!([ask("t").await, ask("t").await], [200, 200]);
    let trips = || here.snapshot().fleet.unwrap().trips;
    let before = trips();
    assert_eq!([ask("t").await, ask("t").await], [429, 429], "here");
    assert_eq!(trips(), before, "what is refused here costs no trip");
    assert_eq!(ask("u").await, 200);
    // The tenant's are used up now, the account's and the tool's are not.
    assert_eq!([ask("u").await, ask("u").await, ask("u").await], [429; 3]);
    let others = node(&redis, || accounts(4));
    assert_eq!(admitted(&others, 9, "ann").await, 1, "of four");
    let left = here
        .statistics()
        .into_iter()
        .find(|tier| tier.tool.as_deref() == Some("u"));
    assert_eq!(left.unwrap().total_requests, 1);
}

fn shared_of(redis: &RedisServer) -> Fleet {
    fleet(redis).build().unwrap()
}

#[tokio::test]
async fn a_refused_request_leaves_local_buckets_as_they_were() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let fleet = shared_of(&redis);
    let sharing = |limits: RateLimitsBuilder| limits.fleet(&fleet).clock(clock());
    let limits = sharing(accounts(1).tool("t", few(3))).build().unwrap();
    assert_eq!(admitted(&limits, 9, "ann").await, 1);
    // With the account out of the way, the tool has what nobody was admitted for.
    limits
        .swap(sharing(RateLimits::builder().tool("t", few(3))))
        .unwrap();
    assert_eq!(admitted(&limits, 9, "ann").await, 2);
}

/// The flaw: whoever had used up what Redis keeps of them used up what all have here, by requests that were given up
/// before it said so.
#[tokio::test]
async fn requests_given_up_before_redis_refuses_them_take_nothing_from_the_others() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let here = node(&redis, || accounts(1).global(few(4)));
    assert_eq!(admitted(&here, 9, "ann").await, 1);
    let trips = || here.snapshot().fleet.unwrap().trips;
    let before = trips();
    let service = guarded(here.clone());
    let refusals = || here.statistics()[0].rejected_requests;
    for _ in 0..9 {
        let refused = refusals();
        {
            let mut asked = pin!(tool("t").by("ann").to(&service));
            let is_decided = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready()));
            assert!(!is_decided.await, "before Redis said anything");
        }
        let settled = async {
            while refusals() == refused {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(5), settled).await;
        assert!(settled.is_ok(), "it is charged, and nobody knows better");
    }
    assert_eq!(trips(), before + 9);
    assert_eq!(admitted(&here, 9, "bob").await, 1);
    assert_eq!(admitted(&here, 9, "cid").await, 1, "of the four");
}

#[tokio::test]
async fn a_request_is_one_round_trip_for_all_of_its_shared_tiers() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let limits = || {
        let limits = RateLimits::builder()
            .account(few(9))
            .global(few(99))
            .tool("t", few(9));
        ["account", "global", "tool"]
            .into_iter()
            .fold(limits, |limits, tier| limits.shared(tier, Outage::Closed))
    };
    let here = node(&redis, limits);
    assert_eq!(admitted(&here, 7, "ann").await, 7);
    assert_eq!(here.snapshot().fleet.unwrap().trips, 7);
    assert_eq!(redis.command(&["DBSIZE"]), "3");
}

#[tokio::test]
async fn seed_r4_keys_tell_nobody_and_go_by_themselves() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let quota = quota(60, 2);
    let limits = || {
        let limits = RateLimits::builder()
            .account(quota)
            .session(quota)
            .global(quota);
        ["account", "session", "global"]
            .into_iter()
            .fold(limits, |limits, tier| limits.shared(tier, Outage::Closed))
    };
    let service = guarded(node(&redis, limits));
    let ask = tool("t")
        .by("ann")
        .header("mcp-session-id", "session-of-ann");
    assert_eq!(ask.to(&service).await.status(), 200);
    let keys = redis.command(&["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 3);
    for key in keys.lines() {
        let hash = key.strip_prefix("bartizan:limits:{default}:").unwrap();
        assert!(
            hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
            "{key}"
        );
        let left: i64 = redis.command(&["PTTL", key]).parse().unwrap();
        assert!((1..=1002).contains(&left), "{left} ms");
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(redis.command(&["DBSIZE"]), "0");
}

#[tokio::test]
async fn a_script_that_redis_forgot_is_sent_again() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let here = node(&redis, || accounts(4));
    for _ in 0..4 {
        assert_eq!(admitted(&here, 1, "ann").await, 1);
        redis.command(&["SCRIPT", "FLUSH"]);
    }
    assert_eq!(admitted(&here, 1, "ann").await, 0);
    assert_eq!(here.snapshot().fleet.unwrap().faults, 0);
}

#[tokio::test]
async fn buckets_that_redis_forgot_are_full_and_no_fuller() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let here = node(&redis, || accounts(4));
    assert_eq!(admitted(&here, 9, "ann").await, 4);
    redis.command(&["FLUSHALL"]);
    assert_eq!(admitted(&here, 9, "ann").await, 4);
}

#[tokio::test]
async fn what_nobody_of_the_fleet_wrote_counts_as_an_empty_bucket_and_is_told() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = heard.clone();
    let events = Events::to(move |event: &Event| sink.lock().unwrap().push(event.kind));
    let fleet = fleet(&redis).events(events).build().unwrap();
    let limits = RateLimits::builder()
        .account(quota(120, 1))
        .shared("account", Outage::Open);
    let limits = limits.fleet(&fleet).build().unwrap();
    assert_eq!(admitted(&limits, 1, "ann").await, 1);
    let key = redis.command(&["KEYS", "*"]);
    for hostile in [
        &["LPUSH", &key, "1"][..],
        &["SET", &key, "nan"],
        &["SET", &key, "0x10"],
        &["SET", &key, "-5"],
        &["SET", &key, "1e300"],
        &["SET", &key, ""],
        &["SET", &key, "99999999999999999999999999"],
        // Beyond all that the rules can leave.
        &["SET", &key, "9007199254740991"],
    ] {
        redis.command(&["DEL", &key]);
        redis.command(hostile);
        assert_eq!(admitted(&limits, 1, "ann").await, 0, "{hostile:?}");
        let left: i64 = redis.command(&["PTTL", &key]).parse().unwrap();
        assert!((0..=502).contains(&left), "{hostile:?}: {left} ms");
        tokio::time::sleep(Duration::from_millis(550)).await;
        assert_eq!(admitted(&limits, 1, "ann").await, 1, "{hostile:?}");
    }
    assert_eq!(*heard.lock().unwrap(), ["shared_limits_unreadable"]);
    assert!(!limits.snapshot().fleet.unwrap().is_away);
}

#[tokio::test]
async fn costs_shadows_and_credentials_are_as_in_memory() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let limits = || {
        let dear = Tier::rate("dear", few(10))
            .by(By::account())
            .cost(Cost::each(1).tool("t", 4));
        let dark = Tier::rate("dark", few(1)).by(By::account()).shadow();
        let limits = RateLimits::builder().tier(dear.shared(Outage::Closed));
        let limits = limits.tier(dark.shared(Outage::Closed));
        limits.shared("credential", Outage::Closed)
    };
    let (one, other) = (node(&redis, limits), node(&redis, limits));
    assert_eq!(
        admitted(&one, 1, "ann").await + admitted(&other, 9, "ann").await,
        2
    );
    let dark = other
        .statistics()
        .into_iter()
        .find(|tier| tier.tier == "dark")
        .unwrap();
    assert_eq!(dark.rejected_requests, 9);
    let rate = bartizan_core::CallRate::new(1, 2).unwrap();
    let narrow = bartizan_core::CredentialLimits::default()
        .with_rate(rate)
        .unwrap();
    let key = || {
        let principal = bartizan_core::Principal::service("keys", "svc").credential_id("k1");
        principal.limits(narrow.clone()).build("apikey")
    };
    let mut through = 0;
    for limits in [&one, &other, &one] {
        let answer = method("tools/list", "{}")
            .of(key())
            .to(&guarded(limits.clone()))
            .await;
        through += usize::from(answer.status() == 200);
    }
    assert_eq!(through, 2);
}

#[tokio::test]
async fn a_swap_keeps_shared_buckets_and_what_was_local_is_shared_from_then_on() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let fleet = shared_of(&redis);
    let builder = |burst| RateLimits::builder().account(few(burst)).fleet(&fleet);
    let limits = builder(3)
        .shared("account", Outage::Closed)
        .build()
        .unwrap();
    assert_eq!(admitted(&limits, 9, "ann").await, 3);
    limits
        .swap(builder(5).shared("account", Outage::Open))
        .unwrap();
    // Two more than before, of which none was earned: a full bucket of five lacks three.
    assert_eq!(admitted(&limits, 9, "ann").await, 2);
    limits.swap(builder(5)).unwrap();
    assert_eq!(admitted(&limits, 9, "ann").await, 5, "here");
    assert!(limits.swap(RateLimits::builder().account(few(5))).is_err());
}

#[tokio::test]
async fn limits_that_contradict_themselves_do_not_build() {
    let redis = || Redis::builder("redis://127.0.0.1:1/").build().unwrap();
    let fleet = Fleet::builder(redis(), secret()).build().unwrap();
    let base = || RateLimits::builder().account(few(5));
    let error = |builder: RateLimitsBuilder| builder.build().unwrap_err().to_string();
    for (builder, says) in [
        (base().shared("account", Outage::Open), "has no fleet"),
        (
            base().fleet(&fleet).shared("acount", Outage::Open),
            "`acount` is none",
        ),
        (
            base().fleet(&fleet).shared("account", Outage::LocalShare),
            "how many replicas",
        ),
        (
            base()
                .fleet(&fleet)
                .open_in_all(5)
                .shared("open_in_all", Outage::Open),
            "open requests",
        ),
        (
            base()
                .fleet(&fleet)
                .tier(Tier::rate("slow", few(900_000)).shared(Outage::Open)),
            "ten years",
        ),
        (
            base().tier(Tier::rate("x", few(1)).shared(Outage::Open)),
            "has no fleet",
        ),
    ] {
        let error = error(builder);
        assert!(error.contains(says), "{error}");
    }
    for bad in [
        Fleet::builder(redis(), vec![7; 64]),
        Fleet::builder(redis(), vec![7; 31]),
        Fleet::builder(redis(), secret()).name("a{b}"),
        Fleet::builder(redis(), secret()).wait(Duration::ZERO),
        Fleet::builder(redis(), secret()).replicas(0),
    ] {
        bad.build().unwrap_err();
    }
}

#[tokio::test]
async fn what_cannot_wait_is_refused_where_a_tier_is_shared() {
    let redis = Redis::builder("redis://127.0.0.1:1/").build().unwrap();
    let fleet = Fleet::builder(redis, secret()).build().unwrap();
    let limits = RateLimits::builder()
        .account(few(5))
        .shared("account", Outage::Open);
    let limits = limits
        .fleet(&fleet)
        .clock(FakeClock::at(Duration::ZERO))
        .build()
        .unwrap();
    let mut request = tool("t").by("ann").into_request();
    let context = bartizan_core::SecurityContext::of(&mut request);
    let inner = tower::service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(
            http_body_util::Full::<bytes::Bytes>::default(),
        ))
    });
    let calls = tower::Layer::layer(&bartizan_core::CallLayer::new(), inner);
    tower::ServiceExt::oneshot(calls, request).await.unwrap();
    let (call, headers) = (context.call().unwrap(), http::HeaderMap::new());
    let denial = limits.check(call, &headers, &context).unwrap_err();
    assert_eq!(denial.kind(), bartizan_core::DenialKind::Unavailable);
    // Nobody is there, and the tier is to be open then.
    limits.check_shared(call, &headers, &context).await.unwrap();
}

//! Four processes under full load with one Redis: what they admit together, and what they do while it hangs, is killed and
//! comes back.

use std::time::{Duration, Instant};

use bartizan_kit::RedisServer;
use tokio::time::sleep;

use super::{
    common::*,
    fleet::fleet,
    fleet_driver::{Counted, Processes},
    fleet_process::{PROCESSES, Told, limits},
};

pub(crate) fn together(told: &[Told]) -> Told {
    told.iter()
        .fold(Told::default(), |sum, told| sum.and(*told))
}

/// Microseconds by the clock of Redis.
pub(crate) fn now(redis: &RedisServer) -> u64 {
    let time = redis.command(&["TIME"]);
    let (seconds, micros) = time.split_once('\n').unwrap();
    seconds.trim().parse::<u64>().unwrap() * 1_000_000 + micros.trim().parse::<u64>().unwrap()
}

/// When each bucket of the fleet is full; one is of him of whom nobody speaks.
pub(crate) fn buckets(redis: &RedisServer) -> Vec<u64> {
    let names = redis.command(&["KEYS", "bartizan:limits:*"]);
    let full_at = names.lines().map(|name| redis.command(&["GET", name]));
    full_at.map(|value| value.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_over_four_tiers_admit_exactly_the_allowed_number_and_charge_no_more() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let mut processes = Processes::start("burst", &redis).await;
    let begun = now(&redis);
    processes.tell("go").await;
    sleep(Duration::from_secs(2)).await;
    let told = together(&processes.end().await);
    assert!(told.limited > 500 && told.strange == 0, "{told:?}");
    // What was not answered within a second, on a machine that has no time, may be charged and is not admitted.
    assert!(told.unavailable <= told.faults, "{told:?}");
    // Each account has 40 calls of the tool, of which a session may make 25.
    assert!(
        told.admitted <= 80 && 80 <= told.admitted + told.faults,
        "{told:?}"
    );
    // How often each bucket was charged: of all, of two accounts, of the tool of each, and of two sessions of each; and
    // the one that made the connections.
    let charges = buckets(&redis)
        .into_iter()
        .map(|full_at| (full_at - begun) / HOUR);
    let mut charges: Vec<_> = charges.collect();
    charges.sort_unstable();
    let sessions = charges[1..5].to_vec();
    assert_eq!(sessions.iter().sum::<u64>(), 80, "{charges:?}");
    assert!(sessions.iter().all(|charged| *charged <= 25), "{charges:?}");
    assert_eq!(
        charges[5..],
        [40, 40, 40, 40, 80],
        "tools, accounts, and all"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn four_processes_admit_a_burst_and_what_is_earned_no_more_and_no_less() {
    const EACH: u64 = 40_000;
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let mut processes = Processes::start("rate", &redis).await;
    // So much is taken before that the bucket is not full again until they begin: when it is full then tells what all of
    // them were charged, to the microsecond.
    let here = limits("rate").0.fleet(&fleet(&redis).build().unwrap());
    let here = guarded(here.build().unwrap());
    for _ in 0..95 {
        assert_eq!(tool("t").by("ann").to(&here).await.status(), 200);
    }
    let full_at = |redis| buckets(redis).into_iter().min().unwrap();
    let before = full_at(&redis);
    processes.tell("go").await;
    sleep(Duration::from_secs(3)).await;
    let still = now(&redis);
    let told = together(&processes.end().await);
    let after = full_at(&redis);
    assert_eq!((after - before) % EACH, 0, "it was full in between");
    let charged = (after - before) / EACH;
    assert!(told.admitted <= charged, "{charged} charges: {told:?}");
    assert!(
        charged <= told.admitted + told.faults,
        "{charged} charges: {told:?}"
    );
    assert!(
        told.unavailable <= told.faults && told.strange == 0,
        "{told:?}"
    );
    // Nothing was left over either: it lacked all but a part of one when the last of them asked.
    assert!(after > still + 99 * EACH, "{told:?}");
}

/// Redis hangs, is killed and starts again while all four ask.
pub(crate) async fn outages(scenario: &str) -> Option<(Told, u64)> {
    let mut redis = RedisServer::start().await?;
    let mut processes = Processes::start(scenario, &redis).await;
    let begun = Instant::now();
    processes.tell("go").await;
    sleep(Duration::from_millis(700)).await;

    redis.hang();
    let counted = all_notice(&mut processes).await;
    sleep(Duration::from_millis(1400)).await;
    let tries = processes.count().await.trips - counted.trips;
    assert!(tries <= 2 * u64::from(PROCESSES), "{tries} tries in 1.4 s");
    redis.go_on();
    recovered(&mut processes).await;

    redis.kill();
    sleep(Duration::from_millis(1000)).await;
    redis.restart().await;
    recovered(&mut processes).await;
    // It counts from its start: its own client's, and each process once, or again where one came too early.
    let received = redis.command(&["INFO", "stats"]);
    let received = received
        .lines()
        .find_map(|line| line.strip_prefix("total_connections_received:"));
    let received: u32 = received.unwrap().trim().parse().unwrap();
    assert!(received <= 2 * PROCESSES + 4, "{received} connections");

    let told = together(&processes.end().await);
    let lasted = u64::try_from(begun.elapsed().as_millis()).unwrap();
    assert_eq!(told.strange, 0, "{told:?}");
    assert!(
        told.limited > 100 && told.away >= 2 * u64::from(PROCESSES),
        "{told:?}"
    );
    assert!(
        told.slowest < 1000,
        "it hung for 2 s, and a request waits for 100 ms: {told:?}"
    );
    Some((told, lasted))
}

/// Until all of the processes leave Redis alone.
async fn all_notice(processes: &mut Processes) -> Counted {
    for _ in 0..80 {
        sleep(Duration::from_millis(100)).await;
        let counted = processes.count().await;
        if counted.away == u64::from(PROCESSES) {
            return counted;
        }
    }
    panic!("some did not notice");
}

/// Until none of them takes Redis for away.
async fn recovered(processes: &mut Processes) {
    for _ in 0..80 {
        sleep(Duration::from_millis(100)).await;
        if processes.count().await.away == 0 {
            return;
        }
    }
    panic!("Redis stays away");
}

pub(crate) const HOUR: u64 = 3_600_000_000;

/// What one limiter admits in so many milliseconds.
fn allowed(millis: u64) -> u64 {
    40 + millis / 5 + 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tier_of_four_processes_refuses_with_503_and_never_admits_too_many() {
    let Some((told, lasted)) = outages("closed").await else {
        return;
    };
    assert!(told.unavailable > 100, "{told:?}");
    assert!(told.admitted <= allowed(lasted), "{told:?} in {lasted} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tier_of_four_processes_refuses_nobody_with_503() {
    let Some((told, lasted)) = outages("open").await else {
        return;
    };
    assert_eq!(told.unavailable, 0, "{told:?}");
    assert!(
        told.admitted > allowed(lasted),
        "it limited while Redis was away: {told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn local_shares_of_four_processes_admit_no_more_than_once_more_what_one_limiter_would() {
    let Some((told, lasted)) = outages("share").await else {
        return;
    };
    assert_eq!(told.unavailable, 0, "{told:?}");
    assert!(
        told.admitted <= 2 * allowed(lasted),
        "{told:?} in {lasted} ms"
    );
}

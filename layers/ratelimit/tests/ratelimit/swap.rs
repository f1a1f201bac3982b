//! Other limits while requests are served.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bartizan_core::{Events, FakeClock};
use bartizan_ratelimit::{AddressLimits, By, RateLimits, RateLimitsBuilder, Tier, TierStatistics};

use crate::common::*;

fn builder(clock: &FakeClock) -> RateLimitsBuilder {
    RateLimits::builder().clock(clock.clone())
}

async fn status(limits: &RateLimits, ask: Ask) -> u16 {
    ask.to(&guarded(limits.clone())).await.status().as_u16()
}

fn counted(limits: &RateLimits, name: &str) -> TierStatistics {
    let mut tiers = limits.statistics().into_iter();
    tiers.find(|tier| tier.tier == name).unwrap()
}

#[tokio::test]
async fn tiers_that_stay_keep_their_buckets_and_new_ones_start_full() {
    let clock = clock();
    let first = || {
        builder(&clock)
            .account(quota(60, 2))
            .tool("rare", quota(6, 1))
    };
    let limits = first().build().unwrap();
    assert_eq!(status(&limits, tool("rare").by("ann")).await, 200);
    assert_eq!(limits.snapshot().version, 1);
    let strict = Tier::rate("strict", quota(60, 1)).by(By::tenant());
    limits.swap(first().tier(strict)).unwrap();
    assert_eq!(limits.snapshot().version, 2);
    assert_eq!(status(&limits, tool("rare").by("ann")).await, 429);
    assert_eq!(
        status(&limits, tool("t").by("ann")).await,
        200,
        "one of two"
    );
    assert_eq!(status(&limits, tool("t").by("ann")).await, 429);
    assert_eq!(counted(&limits, "account").total_requests, 3);
    assert_eq!(counted(&limits, "strict").total_requests, 2);
    // What is gone limits no longer; and what comes again is new.
    limits
        .swap(builder(&clock).other_tools(quota(60, 9)))
        .unwrap();
    assert_eq!(status(&limits, tool("rare").by("ann")).await, 200);
    limits.swap(first()).unwrap();
    assert_eq!(status(&limits, tool("rare").by("ann")).await, 200);
}

#[tokio::test]
async fn a_tier_of_another_rate_has_what_is_left_and_nobody_waits_by_the_old_rules() {
    let clock = clock();
    let limits = builder(&clock).account(quota(1, 60)).build().unwrap();
    for _ in 0..60 {
        assert_eq!(status(&limits, tool("t").by("ann")).await, 200);
    }
    assert_eq!(status(&limits, tool("t").by("ann")).await, 429);
    // It lacks an hour; by these it can lack three seconds.
    limits.swap(builder(&clock).account(quota(60, 3))).unwrap();
    let answer = tool("t").by("ann").to(&guarded(limits.clone())).await;
    assert_eq!(header(&answer, "retry-after"), Some("1"), "no fresh burst");
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&limits, tool("t").by("ann")).await, 200);
    assert_eq!(status(&limits, tool("t").by("ann")).await, 429);
}

#[tokio::test]
async fn limits_that_do_not_build_change_nothing() {
    let clock = clock();
    let limits = builder(&clock).account(quota(60, 1)).build().unwrap();
    assert_eq!(status(&limits, tool("t").by("ann")).await, 200);
    for (next, named) in [
        (builder(&clock), "nothing is limited"),
        (
            builder(&clock).account(quota(60, 9)).max_keys(5000),
            "max_keys `5000`",
        ),
        (
            builder(&clock)
                .account(quota(60, 9))
                .tier(Tier::open("x", 0)),
            "`0`",
        ),
    ] {
        let error = limits.swap(next).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
        assert_eq!(status(&limits, tool("t").by("ann")).await, 429);
        assert_eq!(limits.snapshot().version, 1);
    }
}

#[tokio::test]
async fn a_swap_is_told_and_the_first_place_has_it_too() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let events = Events::to({
        let told = Arc::clone(&told);
        move |event| told.lock().unwrap().push((event.layer, event.kind))
    });
    let first = || {
        AddressLimits::builder()
            .clock(clock())
            .failed_authentication(quota(60, 1))
    };
    let limits = first().build().unwrap();
    let bad = || tool("t").header("authorization", "bad").from("192.0.2.1");
    let service = fenced(limits.clone());
    assert_eq!(bad().to(&service).await.status(), 401);
    limits
        .swap(first().address(quota(60, 9)).events(events))
        .unwrap();
    assert_eq!(bad().to(&service).await.status(), 429, "it failed before");
    assert_eq!(*told.lock().unwrap(), [("address_limit", "limits_swapped")]);
}

/// Which closures of which version saw a request.
type Seen = Arc<Mutex<HashMap<String, Vec<usize>>>>;

fn version(number: usize, seen: &Seen) -> RateLimitsBuilder {
    let tier = |name: &str| {
        let seen = Arc::clone(seen);
        let by = By::key(move |asking| {
            let id = asking.headers().get("x-id")?.to_str().ok()?;
            let mut seen = seen.lock().unwrap();
            seen.entry(id.to_owned()).or_default().push(number);
            // Long enough for the version to change in between.
            thread::yield_now();
            Some(id.to_owned().into())
        });
        Tier::rate(name, quota(60, 1)).by(by)
    };
    let names = [format!("one-{number}"), format!("two-{number}")];
    let names = names.map(|name| tier(&name));
    names
        .into_iter()
        .fold(RateLimits::builder(), |b, tier| b.tier(tier))
}

#[test]
fn under_load_each_request_is_decided_by_exactly_one_version() {
    let seen = Seen::default();
    let limits = version(0, &seen).build().unwrap();
    let (is_over, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let limits = limits.clone();
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    let service = guarded(limits);
                    for n in 0..500 {
                        let id = format!("{worker}-{n}");
                        let ask = tool("t").by("ann").header("x-id", &id);
                        assert_eq!(runtime.block_on(ask.to(&service)).status(), 200);
                    }
                })
            })
            .collect();
        let swapping = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let number = swaps.fetch_add(1, Ordering::Relaxed) + 1;
                limits.swap(version(number, &seen)).unwrap();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        swapping.join().unwrap();
    });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2000);
    let mut versions = std::collections::HashSet::new();
    for (id, by) in seen.iter() {
        assert!(by.len() == 2 && by[0] == by[1], "{id}: {by:?}");
        versions.insert(by[0]);
    }
    assert!(versions.len() > 5, "{} versions", versions.len());
}

/// Of all that an account may have, no request is lost or won by changes that do not concern it.
#[test]
fn under_load_a_tier_that_stays_admits_exactly_its_burst() {
    let next = |n: u32| {
        let other = Tier::rate("other", quota(60, 1000 + n)).by(By::tenant());
        RateLimits::builder()
            .clock(clock())
            .account(quota(60, 300))
            .tier(other)
    };
    let limits = next(0).build().unwrap();
    let admitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let service = guarded(limits.clone());
                for _ in 0..200 {
                    let answer = runtime.block_on(tool("t").by("ann").to(&service));
                    admitted.fetch_add(usize::from(answer.status() == 200), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            for n in 1..200 {
                limits.swap(next(n)).unwrap();
                thread::yield_now();
            }
        });
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 300);
    assert_eq!(counted(&limits, "account").total_requests, 600);
}

#[test]
fn what_is_open_is_counted_over_a_change() {
    let clock = clock();
    let limits = builder(&clock).open_per_account(2).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let service = guarded(limits.clone());
    let open = || runtime.block_on(tool("t").by("ann").to(&service));
    let held = open();
    limits.swap(builder(&clock).open_per_account(1)).unwrap();
    assert_eq!(open().status(), 429);
    assert_eq!(counted(&limits, "open").open, Some(1));
    drop(held);
    assert_eq!(counted(&limits, "open").open, Some(0));
    assert_eq!(open().status(), 200);
}

//! One of several processes with one Redis, which asks as fast as it can.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_core::{Event, Events};
use bartizan_ratelimit::{Fleet, Outage, Quota, RateLimits, RateLimitsBuilder};
use bartizan_redis::Redis;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::{LocalSet, spawn_local},
    time::sleep,
};

use super::{
    common::*,
    fleet::{few, secret},
};

pub(crate) const PROCESSES: u32 = 4;
/// Requests that each has under way at once.
const TASKS: u32 = 8;

/// Names what a process is to do, and where its Redis is.
pub(crate) const TASK: &str = "BARTIZAN_TEST_FLEET_PROCESS";

/// What all processes are held to, by the name of the scenario.
pub(crate) fn limits(scenario: &str) -> (RateLimitsBuilder, Duration) {
    let limits = RateLimits::builder().without_headers();
    let patient = Duration::from_secs(1);
    let outage = |outage| {
        let quota = Quota::per_second(200).unwrap().burst(40).unwrap();
        let limits = RateLimits::builder().without_headers().account(quota);
        (limits.shared("account", outage), Duration::from_millis(100))
    };
    match scenario {
        "burst" => {
            let limits = limits.global(few(150)).account(few(60)).session(few(25));
            let limits = limits.tool("t", few(40));
            let shared = ["global", "account", "session", "tool"];
            let shared = shared
                .iter()
                .fold(limits, |l, tier| l.shared(tier, Outage::Closed));
            (shared, patient)
        }
        "rate" => {
            let slow = Quota::per_second(25).unwrap().burst(100).unwrap();
            let limits = limits.account(slow);
            (limits.shared("account", Outage::Closed), patient)
        }
        "leased" => {
            let limits = limits.account(few(2000));
            (limits.shared("account", Outage::Closed), patient)
        }
        "leased-rate" => {
            let quota = Quota::per_second(400).unwrap().burst(800).unwrap();
            let limits = limits.account(quota);
            (limits.shared("account", Outage::Closed), patient)
        }
        "leased-closed" => {
            let quota = Quota::per_second(200).unwrap().burst(800).unwrap();
            let limits = limits.account(quota).shared("account", Outage::Closed);
            (limits, Duration::from_millis(100))
        }
        "closed" => outage(Outage::Closed),
        "open" => outage(Outage::Open),
        "share" => outage(Outage::LocalShare),
        other => panic!("no scenario is called {other}"),
    }
}

/// What a process tells once it was told to end.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) admitted: u64,
    pub(crate) limited: u64,
    pub(crate) unavailable: u64,
    /// Any other status.
    pub(crate) strange: u64,
    /// Milliseconds of the slowest.
    pub(crate) slowest: u64,
    /// Questions to Redis without an answer.
    pub(crate) faults: u64,
    /// Events that it is away.
    pub(crate) away: u64,
}

impl Told {
    fn line(self) -> String {
        let numbers = [
            self.admitted,
            self.limited,
            self.unavailable,
            self.strange,
            self.slowest,
            self.faults,
            self.away,
        ];
        numbers.map(|number| number.to_string()).join(" ")
    }

    pub(crate) fn read(line: &str) -> Self {
        let numbers: Vec<_> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        Self {
            admitted: numbers[0],
            limited: numbers[1],
            unavailable: numbers[2],
            strange: numbers[3],
            slowest: numbers[4],
            faults: numbers[5],
            away: numbers[6],
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            admitted: self.admitted + other.admitted,
            limited: self.limited + other.limited,
            unavailable: self.unavailable + other.unavailable,
            strange: self.strange + other.strange,
            slowest: self.slowest.max(other.slowest),
            faults: self.faults + other.faults,
            away: self.away + other.away,
        }
    }
}

/// One of the processes, if this is one: asks without a pause from the line `go` to `end`.
#[test]
fn is_one_of_the_processes() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let (scenario, url) = task.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let told = LocalSet::new().block_on(&runtime, work(scenario, url));
    say(&format!("told: {}", told.line()));
}

/// To the test that started it.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").unwrap();
    output.flush().unwrap();
}

async fn work(scenario: &str, url: &str) -> Told {
    let away = Arc::new(AtomicU64::new(0));
    let sink = away.clone();
    let events = Events::to(move |event: &Event| {
        sink.fetch_add(
            u64::from(event.kind == "shared_limits_away"),
            Ordering::Relaxed,
        );
    });
    let (limits, wait) = limits(scenario);
    let redis = Redis::builder(url).build().unwrap();
    let fleet = Fleet::builder(redis, secret())
        .replicas(PROCESSES)
        .wait(wait);
    let fleet = match scenario.starts_with("leased") {
        true => fleet.leases(),
        false => fleet,
    };
    let fleet = fleet.events(events).build().unwrap();
    let limits = limits.fleet(&fleet).build().unwrap();
    // The connection is made by somebody of whom nobody speaks.
    let warm = RateLimits::builder()
        .account(few(1))
        .shared("account", Outage::Open);
    let warm = guarded(warm.fleet(&fleet).build().unwrap());
    for _ in 0..100 {
        tool("warm").by("nobody").to(&warm).await;
        let fleet = fleet.snapshot();
        if fleet.trips > fleet.faults {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let faults = fleet.snapshot().faults;
    away.store(0, Ordering::Relaxed);
    say("ready");

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    lines.next_line().await.unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let tasks = (0..TASKS).map(|number| {
        let (limits, is_over) = (limits.clone(), is_over.clone());
        spawn_local(asks(limits, is_over, number))
    });
    let tasks: Vec<_> = tasks.collect();
    while lines.next_line().await.unwrap().unwrap() == "count" {
        let fleet = fleet.snapshot();
        let account = limits.statistics().remove(0);
        let admitted = account.total_requests - account.rejected_requests;
        say(&format!(
            "counted: {} {} {admitted}",
            fleet.trips,
            u64::from(fleet.is_away)
        ));
    }
    is_over.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    for task in tasks {
        told = told.and(task.await.unwrap());
    }
    fleet.end_leases().await;
    told.faults = fleet.snapshot().faults - faults;
    told.away = away.load(Ordering::Relaxed);
    told
}

async fn asks(limits: RateLimits, is_over: Arc<AtomicBool>, number: u32) -> Told {
    let service = guarded(limits);
    let mut told = Told::default();
    let mut round = number;
    let task = std::env::var(TASK).unwrap();
    let (scenario, _) = task.split_once(' ').unwrap();
    let is_burst = scenario == "burst";
    let pause = match scenario {
        "burst" | "rate" | "leased" | "leased-rate" => Duration::from_millis(1),
        _ => Duration::from_millis(10),
    };
    while !is_over.load(Ordering::Relaxed) {
        round += 1;
        // Two accounts with two sessions each in "burst"; in the others all are Ann's.
        let session = ["one", "two"][(round / 2) as usize % 2];
        let ask = match is_burst {
            true => tool("t").by(["ann", "bob"][round as usize % 2]),
            false => tool("t").by("ann"),
        };
        let begun = Instant::now();
        let answer = ask.header("mcp-session-id", session).to(&service).await;
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
        told.slowest = told.slowest.max(took);
        match answer.status().as_u16() {
            200 => told.admitted += 1,
            429 => told.limited += 1,
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                told.unavailable += 1;
            }
            _ => told.strange += 1,
        }
        // Where answers come at once, they would leave no time to Redis.
        sleep(pause).await;
    }
    told
}

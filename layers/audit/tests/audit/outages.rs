//! Disks and pipes that take nothing, for a while or for good, against each overflow policy.

#[cfg(feature = "chain")]
mod around;
mod child;
mod faults;

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_audit::{AuditLayer, Overflow, Queue, RotatingFile};
use serde_json::Value;

use super::{common::kinds, json_lines::PATIENCE, queue::ask};
use child::in_a_child;
use faults::{Always, Fault, Full, Immutable, Limited, Stalled};

/// Records that may wait.
const ROOM: usize = 6;
/// Requests after the log took no more.
const ASKED: usize = 24;
const WAIT: Duration = Duration::from_millis(500);

/// How a policy answers, and where the records are of which it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Refused,
    Spilled,
    Dropped,
}

fn policies(spill: &Path) -> [(Overflow, Fate, Duration); 4] {
    let at_once = Duration::ZERO;
    [
        (Overflow::Refuse, Fate::Refused, at_once),
        (Overflow::Wait(WAIT), Fate::Refused, WAIT),
        (Overflow::Spill(spill.into()), Fate::Spilled, at_once),
        (Overflow::Drop, Fate::Dropped, at_once),
    ]
}

/// A layer over the log, and what it and its queue report.
struct Scene {
    layer: AuditLayer,
    told: Arc<Mutex<Vec<&'static str>>>,
    served: Vec<String>,
}

impl Scene {
    fn over(log: &Path, overflow: Overflow) -> Self {
        let (events, told) = kinds();
        let file = RotatingFile::open(log).unwrap().events(events.clone());
        let queue = Queue::to(file).capacity(ROOM).unwrap();
        let queue = queue.overflow(overflow).unwrap().events(events.clone());
        Self {
            layer: AuditLayer::new(queue).events(events),
            told,
            served: Vec::new(),
        }
    }

    fn count(&self, kind: &str) -> usize {
        let told = self.told.lock().unwrap();
        told.iter().filter(|told| **told == kind).count()
    }

    /// Served, and written or not.
    async fn ask_one(&mut self) {
        let (status, id) = ask(&self.layer).await;
        assert_eq!(status, 200);
        self.served.push(id);
    }

    /// Until a record stands in the writer's hands, and the next ones wait behind it.
    async fn until_it_fails(&mut self) {
        while self.count("writer_failed") == 0 {
            self.ask_one().await;
            let layer = self.layer.clone();
            let is_decided =
                || self.count("writer_failed") > 0 || layer.flush(Duration::from_millis(1)).is_ok();
            eventually(is_decided, "it fails or it writes");
        }
    }

    /// What requests get while the log takes nothing; how many were refused.
    async fn goes_through_it(&mut self, fate: Fate, wait: Duration) -> usize {
        let begun = Instant::now();
        let mut refused = 0;
        for asked in 1..=ASKED {
            let has_room = asked < ROOM;
            let (status, id) = ask(&self.layer).await;
            let is_served = has_room || fate != Fate::Refused;
            assert_eq!(status, if is_served { 200 } else { 503 }, "{asked}");
            match is_served {
                true => self.served.push(id),
                false => refused += 1,
            }
        }
        // Not each for itself: the log stands still.
        let took = begun.elapsed();
        assert!(took >= wait && took < wait + PATIENCE / 2, "{took:?}");
        let at_once = if fate == Fate::Refused {
            "no_room"
        } else {
            "queue_full"
        };
        assert_eq!(self.count(at_once), 1, "{:?}", self.told);
        refused
    }
}

fn eventually(mut is_so: impl FnMut() -> bool, what: &str) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn parsed(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn ids(lines: &[Value]) -> Vec<&str> {
    let ids = lines.iter().map(|line| line["correlation_id"].as_str());
    ids.flatten().collect()
}

/// The whole of it: before, meanwhile, afterwards.
async fn judge(make: &dyn Fn(&Path) -> Box<dyn Fault>) {
    for place in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let spill = folder.path().join("spill.jsonl");
        let (overflow, fate, wait) = policies(&spill).into_iter().nth(place).unwrap();
        let what = format!("{overflow:?}");
        let fault = make(folder.path());
        let mut scene = Scene::over(fault.log(), overflow);
        if fault.ends() {
            for _ in 0..3 {
                scene.ask_one().await;
                scene.layer.flush(PATIENCE).unwrap();
            }
        }
        fault.begin();
        scene.until_it_fails().await;
        let refused = scene.goes_through_it(fate, wait).await;
        assert_eq!(scene.count("writer_failed"), 1, "{what}");
        let beyond = ASKED + 1 - ROOM;
        let spilled = fs::read_to_string(&spill).unwrap_or_default();
        let spilled = parsed(&spilled);
        let first = scene.served.len() - (beyond - refused);
        let expected = match fate {
            Fate::Spilled => &scene.served[first..],
            Fate::Refused | Fate::Dropped => &[],
        };
        assert_eq!(ids(&spilled), expected, "{what}");
        if !fault.ends() {
            // It would wait for its writer.
            std::mem::forget(scene);
            continue;
        }

        fault.end();
        scene.layer.flush(PATIENCE).unwrap();
        eventually(|| scene.count("writer_recovered") == 1, "it is told");
        if fate != Fate::Refused {
            let has_gap = || fault.written().contains("\"audit_gap\"");
            eventually(has_gap, "the gap is told though nobody asks");
        }
        let mut written = scene.served[..first].to_vec();
        scene.ask_one().await;
        scene.layer.flush(PATIENCE).unwrap();
        written.extend(scene.served.last().cloned());
        let is_there = || fault.written().contains(&written[written.len() - 1]);
        eventually(is_there, "what is asked afterwards is written");

        // All that was served, in order, once.
        let lines = parsed(&fault.written());
        assert_eq!(ids(&lines), written, "{what}");
        let numbers = lines.iter().map(|line| line["sequence"].as_u64().unwrap());
        assert_eq!(
            numbers.collect::<Vec<_>>(),
            (1..=lines.len() as u64).collect::<Vec<_>>()
        );
        let gaps: Vec<_> = lines
            .iter()
            .filter(|line| line["event_type"] == "audit_gap")
            .collect();
        assert_eq!(gaps.len(), 1, "{what}");
        let (member, event) = match fate {
            Fate::Refused => ("missing_refused", "room_again"),
            Fate::Spilled => ("spilled", "records_spilled"),
            Fate::Dropped => ("missing_passed", "records_lost"),
        };
        for counted in ["missing_refused", "missing_passed", "spilled"] {
            let expected = if counted == member { beyond } else { 0 };
            let count = gaps[0]["metadata"][counted].as_u64().unwrap_or_default();
            assert_eq!(count, expected as u64, "{what} {counted}");
        }
        assert_eq!(scene.count(event), 1, "{what} {:?}", scene.told);
        assert_eq!(scene.count("writer_recovered"), 1, "{what}");
    }
    parting(make).await;
}

/// Whoever drops the last handle meanwhile waits for a bounded time, and is told what was lost.
async fn parting(make: &dyn Fn(&Path) -> Box<dyn Fault>) {
    let folder = tempfile::tempdir().unwrap();
    let fault = make(folder.path());
    let mut scene = Scene::over(fault.log(), Overflow::Refuse);
    fault.begin();
    scene.until_it_fails().await;
    scene.ask_one().await;
    let begun = Instant::now();
    drop(scene.layer);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
    let told = scene.told.lock().unwrap();
    assert!(told.contains(&"records_lost"), "{told:?}");
    if fault.ends() {
        fault.end();
    }
}

#[tokio::test]
async fn a_device_that_is_full_is_met_by_each_policy_as_it_says() {
    judge(&|_| Box::new(Always)).await;
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_is_met_by_each_policy_as_it_says_and_goes_on_when_it_is_read() {
    judge(&|folder| Box::new(Stalled::new(folder))).await;
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_met_by_each_policy_as_it_says_and_goes_on() {
    if Immutable::is_possible() {
        judge(&|folder| Box::new(Immutable::new(folder))).await;
    }
}

#[tokio::test]
async fn a_file_at_the_limit_of_its_size_is_met_by_each_policy_as_it_says_and_goes_on() {
    if in_a_child("a_file_at_the_limit_of_its_size_is_met", &[]) {
        judge(&|folder| Box::new(Limited::new(folder))).await;
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_met_by_each_policy_as_it_says_and_goes_on() {
    if Full::is_possible() && in_a_child("a_disk_that_is_full_is_met", &Full::NAMESPACE) {
        judge(&|_| Box::new(Full::new())).await;
    }
}

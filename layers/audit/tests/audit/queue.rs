//! The queue: what reaches an outlet, what becomes of records when it is full, and durability.

use std::{
    fs, io,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use bartizan_audit::{
    AuditLayer, AuditSink, Channel, Commit, Durable, JsonLines, Outlet, Overflow, Queue, Record,
};
use bartizan_core::{Finding, SecurityContext, Verdict};
use serde_json::Value;
use tower::{Layer, ServiceExt};

use super::{
    common::*,
    json_lines::{Gated, PATIENCE, Shared},
};

/// Keeps what it sees of each record, and what was committed how.
#[derive(Debug, Clone, Default)]
struct Watching {
    seen: Arc<Mutex<Vec<(String, Vec<String>, String)>>>,
    commits: Arc<Mutex<Vec<Commit>>>,
    is_durable: bool,
    panics: bool,
}

impl Outlet for Watching {
    fn take(&mut self, record: &Record<'_>, line: &[u8]) {
        assert!(!self.panics, "as told");
        let reasons = record.findings.iter().map(|f| f.reason.to_owned());
        let id = record.correlation_id.map(|id| id.as_str().to_owned());
        let line = String::from_utf8(line.to_vec()).unwrap();
        let seen = (id.unwrap_or_default(), reasons.collect(), line);
        self.seen.lock().unwrap().push(seen);
    }

    fn commit(&mut self, commit: Commit) -> io::Result<()> {
        self.commits.lock().unwrap().push(commit);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        self.is_durable
    }
}

/// A request with findings of both sorts; its correlation id.
pub(crate) async fn ask(layer: &AuditLayer) -> (u16, String) {
    let mut request = empty();
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    context.record(|| Finding::new("a", Verdict::Allowed, "k", "static"));
    context.record(|| Finding::new("b", Verdict::Noted, "k", "carried".to_owned()));
    context.record(|| Finding::new("c", Verdict::Noted, "k", "too".to_owned()));
    let id = context.correlation_id().as_str().to_owned();
    let answer = layer.layer(Actor(Act::Answer(200))).oneshot(request).await;
    (answer.unwrap().status().as_u16(), id)
}

#[tokio::test]
async fn every_outlet_behind_one_queue_sees_each_record_and_the_same_line() {
    let (written, watching) = (Shared::default(), Watching::default());
    let outlets = (JsonLines::outlet(written.clone()), watching.clone());
    let layer = AuditLayer::new(Queue::to(outlets));
    let (_, id) = ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let seen = watching.seen.lock().unwrap();
    let (seen_id, reasons, line) = &seen[0];
    assert_eq!(seen_id, &id);
    assert_eq!(reasons, &["static", "carried", "too"]);
    assert_eq!(written.text(), format!("{line}\n"));
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn an_outlet_that_panics_costs_the_other_one_nothing_and_an_event_says_so() {
    let (written, (events, kinds)) = (Shared::default(), kinds());
    let broken = Watching {
        panics: true,
        ..Watching::default()
    };
    let queue = Queue::to((broken, JsonLines::outlet(written.clone()))).events(events);
    let layer = AuditLayer::new(queue);
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    assert_eq!(written.all().len(), 1);
    assert_eq!(*kinds.lock().unwrap(), ["outlet_failed"]);
}

/// Takes its time to go, and tells when it is gone.
struct Goes(Arc<Mutex<bool>>);

impl Outlet for Goes {
    fn take(&mut self, _: &Record<'_>, _: &[u8]) {}

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Goes {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(50));
        *self.0.lock().unwrap() = true;
    }
}

#[test]
fn with_the_queue_its_outlet_is_gone_so_that_its_file_can_be_opened_again() {
    let gone = Arc::default();
    drop(Queue::to(Goes(Arc::clone(&gone))));
    assert!(*gone.lock().unwrap());
}

/// Asks the queue that it stands behind for room, as an event or a watcher might.
struct Asks(Arc<Mutex<Option<Queue>>>, Sender<bool>);

impl Outlet for Asks {
    fn take(&mut self, _: &Record<'_>, _: &[u8]) {
        if let Some(queue) = self.0.lock().unwrap().take() {
            self.1.send(queue.reserve()).unwrap();
        }
    }

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn by_wait_who_makes_the_room_does_not_wait_for_it() {
    let (asked, room) = channel();
    let own = Arc::default();
    let queue = Queue::to(Asks(Arc::clone(&own), asked));
    let wait = Overflow::Wait(Duration::from_secs(10));
    let queue = queue.capacity(1).unwrap().overflow(wait).unwrap();
    *own.lock().unwrap() = Some(queue.clone());
    let layer = AuditLayer::new(queue);
    let begun = Instant::now();
    ask(&layer).await;
    assert!(!room.recv_timeout(PATIENCE).unwrap());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[cfg(all(feature = "file", unix))]
#[test]
fn a_spill_file_that_is_a_log_is_refused_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (log, other) = (folder.path().join("log"), folder.path().join("other"));
    let queue = Queue::to(bartizan_audit::RotatingFile::open(&log).unwrap());
    fs::hard_link(&log, &other).unwrap();
    for path in [&log, &other] {
        let spill = Overflow::Spill(path.clone());
        let error = queue.clone().overflow(spill).unwrap_err().to_string();
        assert!(error.contains("another one writes it"), "{error}");
        assert!(JsonLines::append(path).is_err());
    }
    assert_eq!(fs::read(&log).unwrap(), b"");
    // Nor is what takes spilled lines a log.
    let spill = folder.path().join("spill");
    let queue = queue.overflow(Overflow::Spill(spill.clone())).unwrap();
    assert!(bartizan_audit::RotatingFile::open(&spill).is_err());
    drop(queue);
    // A child that another test starts holds all files for a moment.
    let until = Instant::now() + PATIENCE;
    while bartizan_audit::RotatingFile::open(&spill).is_err() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn lines_come_through_a_channel_and_one_that_is_full_holds_them_in_the_queue() {
    let (channel, lines) = Channel::bounded(1);
    let layer = AuditLayer::new(Queue::to(channel));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(ask(&layer).await.1);
    }
    for id in ids {
        let line = lines.recv_timeout(PATIENCE).unwrap();
        let record: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(record["correlation_id"], id);
    }
}

/// A queue of two records whose writer stands still, and what it writes.
fn stalled(overflow: Overflow) -> (AuditLayer, Gated, Arc<Mutex<Vec<&'static str>>>) {
    let gated = Gated::default();
    let (events, kinds) = kinds();
    let lines = JsonLines::to(gated.clone())
        .capacity(2)
        .unwrap()
        .overflow(overflow)
        .unwrap()
        .events(events);
    (AuditLayer::new(lines), gated, kinds)
}

#[tokio::test]
async fn by_drop_a_full_queue_serves_on_and_says_at_once_and_later_how_many_have_no_record() {
    let (layer, gated, kinds) = stalled(Overflow::Drop);
    for _ in 0..5 {
        assert_eq!(ask(&layer).await.0, 200);
    }
    assert_eq!(*kinds.lock().unwrap(), ["queue_full"]);
    gated.open();
    layer.flush(PATIENCE).unwrap();
    let all = gated.to.all();
    assert_eq!(all.len(), 3);
    assert_eq!(all[2]["event_type"], "audit_gap");
    assert_eq!(all[2]["metadata"]["missing_passed"], 3);
    assert_eq!(*kinds.lock().unwrap(), ["queue_full", "records_lost"]);
}

/// Says that it has a batch, and lets go of it when it is told.
struct Held {
    has_it: Sender<()>,
    go_on: Receiver<()>,
    lines: Sender<String>,
}

impl Outlet for Held {
    fn take(&mut self, _: &Record<'_>, line: &[u8]) {
        let _ = self.lines.send(String::from_utf8(line.to_vec()).unwrap());
    }

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        let _ = self.has_it.send(());
        let _ = self.go_on.recv();
        Ok(())
    }
}

#[tokio::test]
async fn what_is_lost_while_the_last_record_is_written_is_told_though_no_more_come() {
    let ((has_it, had), (go, go_on), (to, lines)) = (channel(), channel(), channel());
    let held = Held {
        has_it,
        go_on,
        lines: to,
    };
    let queue = Queue::to(held).capacity(1).unwrap();
    let layer = AuditLayer::new(queue.overflow(Overflow::Drop).unwrap());
    ask(&layer).await;
    had.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ask(&layer).await.0, 200);
    go.send(()).unwrap();
    had.recv_timeout(PATIENCE).expect("it is told");
    let told = lines.iter().nth(1).unwrap();
    assert!(told.contains("\"audit_gap\""), "{told}");
    drop(go);
}

#[tokio::test]
async fn by_spill_what_finds_no_room_stands_in_the_spill_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spill.jsonl");
    let (layer, gated, kinds) = stalled(Overflow::Spill(path.clone()));
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(ask(&layer).await.1);
    }
    let spilled = fs::read_to_string(&path).unwrap();
    let spilled: Vec<Value> = spilled
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let spilled: Vec<_> = spilled
        .iter()
        .map(|r| r["correlation_id"].clone())
        .collect();
    assert_eq!(spilled, ids[2..]);
    gated.open();
    layer.flush(PATIENCE).unwrap();
    let all = gated.to.all();
    assert_eq!(all[2]["event_type"], "audit_gap");
    assert_eq!(all[2]["metadata"]["spilled"], 3);
    assert_eq!(all[2]["metadata"]["missing_passed"], 0);
    assert_eq!(*kinds.lock().unwrap(), ["queue_full", "records_spilled"]);
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    assert_eq!(gated.to.all().len(), 4, "there is room again");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_spill_file_that_takes_nothing_drops_with_a_count() {
    let (layer, gated, kinds) = stalled(Overflow::Spill("/dev/full".into()));
    for _ in 0..4 {
        assert_eq!(ask(&layer).await.0, 200);
    }
    gated.open();
    layer.flush(PATIENCE).unwrap();
    assert_eq!(gated.to.all()[2]["metadata"]["missing_passed"], 2);
    assert_eq!(*kinds.lock().unwrap(), ["queue_full", "records_lost"]);
}

#[tokio::test]
async fn by_wait_a_request_waits_for_room_and_no_longer_than_it_may() {
    let (layer, gated, _) = stalled(Overflow::Wait(Duration::from_millis(50)));
    for _ in 0..2 {
        assert_eq!(ask(&layer).await.0, 200);
    }
    let begun = Instant::now();
    assert_eq!(ask(&layer).await.0, 503);
    assert!(begun.elapsed() >= Duration::from_millis(50));

    let (layer, gate, _) = stalled(Overflow::Wait(PATIENCE));
    for _ in 0..2 {
        assert_eq!(ask(&layer).await.0, 200);
    }
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        gate.open();
    });
    assert_eq!(ask(&layer).await.0, 200);
    opener.join().unwrap();
    gated.open();
}

#[tokio::test]
async fn by_wait_requests_behind_one_that_waited_in_vain_wait_for_nothing_until_it_moves_again() {
    let patience = Duration::from_millis(300);
    let (layer, gated, _) = stalled(Overflow::Wait(patience));
    for _ in 0..2 {
        assert_eq!(ask(&layer).await.0, 200);
    }
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(ask(&layer).await.0, 503);
    }
    let waited = begun.elapsed();
    assert!(waited >= patience && waited < patience * 3, "{waited:?}");
    gated.open();
    layer.flush(PATIENCE).unwrap();
    assert_eq!(ask(&layer).await.0, 200);
}

#[test]
fn by_wait_room_that_is_given_back_is_had_at_once() {
    let queue = Queue::to(JsonLines::outlet(io::sink())).capacity(1);
    let queue = queue.unwrap().overflow(Overflow::Wait(PATIENCE)).unwrap();
    assert!(queue.reserve());
    let other = queue.clone();
    let begun = Instant::now();
    let waits = std::thread::spawn(move || other.reserve());
    std::thread::sleep(Duration::from_millis(50));
    queue.release();
    assert!(waits.join().unwrap());
    assert!(begun.elapsed() < PATIENCE / 2);
}

#[test]
fn an_overflow_that_is_out_of_range_or_set_twice_names_itself() {
    let queue = || Queue::to(JsonLines::outlet(io::sink()));
    for (overflow, named) in [
        (Overflow::Wait(Duration::ZERO), "0ns"),
        (Overflow::Wait(Duration::from_secs(11)), "11s"),
        (Overflow::Spill("/nowhere/spill".into()), "/nowhere/spill"),
    ] {
        let error = queue().overflow(overflow).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let twice = queue().overflow(Overflow::Drop).unwrap();
    assert!(twice.overflow(Overflow::Drop).is_err());
    assert!(queue().overflow(Overflow::Refuse).is_ok());
}

/// Writes the record of each request durably, and keeps what comes of it.
#[derive(Clone)]
pub(crate) struct Durably(pub(crate) Queue, pub(crate) Arc<Mutex<Vec<Durable>>>);

impl AuditSink for Durably {
    fn reserve(&self) -> bool {
        self.0.reserve()
    }

    fn release(&self) {
        self.0.release();
    }

    fn write(&self, record: &Record<'_>) {
        let durable = self.0.write_durably(record);
        self.1.lock().unwrap().push(durable);
    }
}

#[tokio::test]
async fn a_record_is_durable_once_its_outlet_committed_it_so() {
    let watching = Watching {
        is_durable: true,
        ..Watching::default()
    };
    let durably = Durably(Queue::to(watching.clone()), Arc::default());
    ask(&AuditLayer::new(durably.clone())).await;
    let durable = durably.1.lock().unwrap().pop().unwrap();
    durable.await.unwrap();
    assert_eq!(*watching.commits.lock().unwrap(), [Commit::Durable]);
}

#[tokio::test]
async fn a_record_at_which_its_outlet_panicked_is_not_durable() {
    let watching = Watching {
        is_durable: true,
        panics: true,
        ..Watching::default()
    };
    let durably = Durably(Queue::to(watching), Arc::default());
    ask(&AuditLayer::new(durably.clone())).await;
    let durable = durably.1.lock().unwrap().pop().unwrap();
    assert!(durable.await.is_err());
}

#[tokio::test]
async fn what_no_outlet_makes_durable_is_not_and_nobody_waits_for_it() {
    let durably = Durably(Queue::to(Watching::default()), Arc::default());
    ask(&AuditLayer::new(durably.clone())).await;
    let durable = durably.1.lock().unwrap().pop().unwrap();
    assert!(durable.await.is_err());

    // Nor is what a full queue dropped.
    let gated = Gated::default();
    let queue = Queue::to(JsonLines::outlet(gated.clone())).capacity(1);
    let queue = queue.unwrap().overflow(Overflow::Drop).unwrap();
    let durably = Durably(queue, Arc::default());
    let layer = AuditLayer::new(durably.clone());
    ask(&layer).await;
    ask(&layer).await;
    let durable = durably.1.lock().unwrap().pop().unwrap();
    assert!(durable.await.is_err());
    gated.open();
}

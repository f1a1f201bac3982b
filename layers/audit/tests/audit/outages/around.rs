//! What stands around a log: its spill file, the outlets beside it, its folder, and another process.

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_audit::{
    AuditLayer, Chain, ChainKeys, Commit, IntentLayer, JsonLines, Outlet, Overflow, Queue, Record,
    RotatingFile, verify,
};
use bartizan_core::{CallLayer, RequestBody};
use http::Request;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Fault, ROOM, Scene, Stalled,
    child::{CHILD, in_a_child, limit},
    eventually, ids, parsed,
};
use crate::audit::{
    common::{Body, call_tool, kinds, ok},
    json_lines::PATIENCE,
    queue::ask,
};

#[tokio::test]
async fn a_spill_file_that_gets_full_loses_what_it_does_not_take_with_a_count_and_tears_no_other_line()
 {
    if !in_a_child("a_spill_file_that_gets_full", &[]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill.jsonl");
    let fault = Stalled::new(folder.path());
    let mut scene = Scene::over(fault.log(), Overflow::Spill(spill.clone()));
    fault.begin();
    scene.until_it_fails().await;
    for _ in 1..ROOM {
        scene.ask_one().await;
    }
    let queued = scene.served.len();
    // It takes some lines, and a part of the next.
    limit(Some(3000));
    for _ in 0..10 {
        scene.ask_one().await;
    }
    limit(None);
    for _ in 0..3 {
        scene.ask_one().await;
    }
    fault.end();
    let has_gap = || fault.written().contains("\"audit_gap\"");
    eventually(has_gap, "the gap is told");

    let text = fs::read_to_string(&spill).unwrap();
    let is_whole = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let whole: Vec<_> = text.lines().filter(is_whole).collect();
    assert_eq!(whole.len() + 1, text.lines().count(), "one is torn");
    let spilled = parsed(&whole.join("\n"));
    let (first, last) = spilled.split_at(spilled.len() - 3);
    assert!(!first.is_empty());
    let served = &scene.served[queued..];
    assert_eq!(ids(first), served[..first.len()]);
    assert_eq!(ids(last), served[10..]);
    let lines = parsed(&fault.written());
    // Before or behind those that waited, as the thread came to it.
    let is_gap = |line: &&serde_json::Value| line["event_type"] == "audit_gap";
    let gap = &lines.iter().rfind(is_gap).unwrap()["metadata"];
    assert_eq!(gap["spilled"], spilled.len());
    assert_eq!(gap["missing_passed"], 13 - spilled.len());
    // That they are spilled, and that they are not even that.
    assert_eq!(scene.count("queue_full"), 2, "{:?}", scene.told);
}

#[test]
fn a_spill_file_that_may_keep_requests_waiting_is_no_spill_file() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = Stalled::new(folder.path());
    let queue = Queue::to(JsonLines::outlet(io::sink()));
    let error = queue
        .overflow(Overflow::Spill(pipe.log().into()))
        .unwrap_err();
    assert!(error.to_string().contains("is a pipe"), "{error}");
}

/// Fails so often, whatever it has.
struct Fails(usize);

impl Outlet for Fails {
    fn take(&mut self, _: &Record<'_>, _: &[u8]) {}

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        self.0 = self.0.saturating_sub(1);
        match self.0 {
            0 => Ok(()),
            _ => Err(ErrorKind::StorageFull.into()),
        }
    }
}

#[cfg(feature = "chain")]
#[tokio::test]
async fn beside_an_outlet_that_fails_and_a_taker_of_heads_that_panics_a_chain_has_each_line_once() {
    for chain_is_first in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let keys = ChainKeys::new(1, &vec![7; 32].into(), &vec![9; 32].into()).unwrap();
        let chain = Chain::over(RotatingFile::open(&path).unwrap(), keys.clone()).unwrap();
        let chain = chain.checkpoints(2, Duration::from_secs(60)).unwrap();
        let chain = chain.heads(|_| panic!("as told"));
        let (events, told) = kinds();
        let queue = match chain_is_first {
            true => Queue::to((chain, Fails(3))),
            false => Queue::to((Fails(3), chain)),
        };
        let layer = AuditLayer::new(queue.events(events));
        let mut asked = Vec::new();
        for _ in 0..10 {
            asked.push(ask(&layer).await.1);
            layer.flush(PATIENCE).unwrap();
        }
        drop(layer);
        let text = fs::read(&path).unwrap();
        let report = verify([text.as_slice()], &keys.verifying(), None).unwrap();
        assert_eq!(report.bad, None);
        assert_eq!(ids(&parsed(&String::from_utf8(text).unwrap())), asked);
        let told = told.lock().unwrap();
        assert_eq!(*told, ["writer_failed", "writer_recovered"]);
    }
}

#[tokio::test]
async fn a_file_whose_folder_is_gone_when_it_is_to_be_rotated_goes_on_and_an_event_says_so() {
    let around = tempfile::tempdir().unwrap();
    let (folder, moved) = (around.path().join("log"), around.path().join("moved"));
    fs::create_dir(&folder).unwrap();
    let (events, told) = kinds();
    let file = RotatingFile::open(folder.join("audit.log")).unwrap();
    let file = file.rotate_at(4096).unwrap().events(events);
    let layer = AuditLayer::new(Queue::to(file));
    let mut asked = vec![ask(&layer).await.1];
    layer.flush(PATIENCE).unwrap();
    fs::rename(&folder, &moved).unwrap();
    for _ in 0..20 {
        asked.push(ask(&layer).await.1);
        layer.flush(PATIENCE).unwrap();
    }
    assert_eq!(*told.lock().unwrap(), ["rotation_failed"]);
    let text = fs::read_to_string(moved.join("audit.log")).unwrap();
    assert_eq!(ids(&parsed(&text)), asked);
}

#[tokio::test]
async fn a_file_that_somebody_removed_takes_nothing_and_no_destructive_call_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    for rotates in [true, false] {
        let (events, told) = kinds();
        let queue = match rotates {
            true => Queue::to(RotatingFile::open(&path).unwrap()).events(events),
            false => {
                let lines = JsonLines::append(&path).unwrap().events(events);
                let (status, calls) = strict_call(lines.clone(), &path).await;
                assert_eq!((status, calls), (503, 0));
                continue;
            }
        };
        let layer = AuditLayer::new(queue.clone());
        let (status, calls) = strict_call(queue, &path).await;
        assert_eq!((status, calls), (503, 0));
        assert_eq!(*told.lock().unwrap(), ["writer_failed"]);
        assert!(layer.flush(Duration::from_millis(20)).is_err());
    }
}

/// One before the file is removed, and one after; the latter's status, and how often a tool was called then.
async fn strict_call(
    sink: impl bartizan_audit::AuditSink + Clone,
    path: &std::path::Path,
) -> (u16, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<RequestBody<Body>>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, std::convert::Infallible>(ok()) }
    });
    let intent = IntentLayer::new(sink, ["delete_*"]).unwrap();
    let intent = intent.patience(Duration::from_millis(200)).unwrap();
    let service = CallLayer::new().layer(intent.layer(inner));
    let answer = service.clone().oneshot(call_tool("delete_note")).await;
    assert_eq!(answer.unwrap().status(), 200);
    fs::remove_file(path).unwrap();
    let answer = service.oneshot(call_tool("delete_note")).await.unwrap();
    (answer.status().as_u16(), calls.load(Ordering::SeqCst) - 1)
}

#[tokio::test]
async fn a_second_process_does_not_get_the_log_and_costs_the_first_one_nothing() {
    let name = "a_second_process_does_not_get_the_log";
    if let Some(path) = env::var_os(CHILD).map(PathBuf::from) {
        let error = RotatingFile::open(&path).unwrap_err().to_string();
        assert!(error.contains("another one writes it"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let layer = AuditLayer::new(Queue::to(RotatingFile::open(&path).unwrap()));
    let mut asked = vec![ask(&layer).await.1];
    layer.flush(PATIENCE).unwrap();
    let second = Command::new(env::current_exe().unwrap())
        .arg(name)
        .env(CHILD, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stdout);
    assert!(
        second.status.success() && said.contains("1 passed"),
        "{said}"
    );
    asked.push(ask(&layer).await.1);
    layer.flush(PATIENCE).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(ids(&parsed(&text)), asked);
}

//! The sink that writes lines: also when its writer fails, stalls or dawdles.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_audit::{AuditLayer, JsonLines, Records};
use bartizan_core::{
    CallLayer, Finding, Principal, RequestBody, SecurityContext, Verdict, identify,
};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use super::common::*;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What was written, for all to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let all: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        all.iter().for_each(assert_valid);
        all
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that stands still until its gate is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gated {
    open: Arc<(Mutex<bool>, Condvar)>,
    pub(crate) to: Shared,
}

impl Gated {
    pub(crate) fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.open.0.lock().unwrap();
        drop(self.open.1.wait_while(open, |open| !*open).unwrap());
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that takes three bytes at a time, and fails in many ways before each.
#[derive(Debug, Clone, Default)]
struct Awkward {
    writes: Arc<AtomicUsize>,
    to: Shared,
}

impl Write for Awkward {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writes.fetch_add(1, Ordering::SeqCst) {
            1 => Err(io::ErrorKind::Interrupted.into()),
            2 => Err(io::Error::other("disk\nfull")),
            3 => Ok(0),
            4 => panic!("as told"),
            _ => self.to.write(&bytes[..bytes.len().min(3)]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn ask(layer: &AuditLayer) -> u16 {
    let answer = layer.layer(Actor(Act::Answer(200))).oneshot(empty()).await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_file_is_numbered_on_from_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    for sequence in 1..=3 {
        let layer = AuditLayer::new(JsonLines::append(&path).unwrap());
        let service = layer.layer(Actor(Act::Answer(200)));
        service.oneshot(empty()).await.unwrap();
        layer.flush(PATIENCE).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["sequence"], sequence);
        drop(layer);
        // What stands behind is no numbered record of ours.
        let others = "not json\n{\"sequence\":18446744073709551615}\n{\"half\":";
        std::fs::write(&path, text + others).unwrap();
    }
}

#[tokio::test]
async fn lines_come_out_in_order_and_are_flushed_on_demand() {
    let written = Shared::default();
    let lines = JsonLines::to(written.clone());
    let layer = AuditLayer::new(lines.clone());
    for status in [200, 201, 202] {
        let service = layer.layer(Actor(Act::Answer(status)));
        service.oneshot(empty()).await.unwrap();
    }
    lines.flush(PATIENCE).unwrap();
    let statuses: Vec<_> = written.all().iter().map(|r| r["status"].clone()).collect();
    assert_eq!(statuses, [200, 201, 202]);
}

/// The lines are made elsewhere and later, of a copy: they say the same.
#[tokio::test]
async fn a_line_says_what_the_record_says_that_a_sink_of_yours_is_given() {
    let (records, written) = (Records::new(), Shared::default());
    let lines = JsonLines::to(written.clone());
    let layer = AuditLayer::new(records.clone()).also(lines.clone());
    let texts = ["", "plain", "a\"b\\c\r\n\u{202e}é😀", &"😀é\"x".repeat(500)];
    for text in texts {
        for (roles, findings) in [(0, 0), (1, 1), (12, 2), (13, 70)] {
            let mut request = call_tool(text);
            let agent = http::HeaderValue::from_bytes(text.replace(['\r', '\n'], "").as_bytes());
            request.headers_mut().insert("user-agent", agent.unwrap());
            let somebody = Principal::user(text, text).client_id(text).tenant(text);
            let somebody = somebody.roles(vec![text; roles]).build("jwt");
            identify(&mut request, somebody).unwrap();
            let context = SecurityContext::of(&mut request);
            context.open_trail();
            for at in 0..findings {
                let verdict = [Verdict::Allowed, Verdict::Refused, Verdict::Noted][at % 3];
                context.record(|| Finding::new("guard", verdict, "kind", text.to_owned()));
                context.record(|| Finding::new("guard", verdict, "kind", "a static reason"));
            }
            let service = layer.layer(CallLayer::new().layer(service_fn(
                |_: http::Request<RequestBody<Body>>| async { Ok::<_, Infallible>(ok()) },
            )));
            service.oneshot(request).await.unwrap();
            let stream = http::Request::get("/a?b").body(Body::default()).unwrap();
            let service = layer.layer(Actor(Act::Answer(404)));
            service.oneshot(stream).await.unwrap();
        }
    }
    lines.flush(PATIENCE).unwrap();
    let text = written.text();
    assert_eq!(text.lines().count(), 2 * 4 * texts.len());
    assert_eq!(text.lines().collect::<Vec<_>>(), records.lines());
}

#[tokio::test]
async fn a_line_comes_out_without_being_asked_for() {
    let written = Shared::default();
    let layer = AuditLayer::new(JsonLines::to(written.clone()));
    for expected in 1..=2 {
        ask(&layer).await;
        let end = Instant::now() + PATIENCE;
        while written.all().len() < expected {
            assert!(Instant::now() < end, "nothing is written");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn the_last_drop_writes_what_is_left() {
    let written = Shared::default();
    let layer = AuditLayer::new(JsonLines::to(written.clone()));
    for _ in 0..100 {
        ask(&layer).await;
    }
    // A request that still runs holds the sink, and its record is the last.
    let late = layer.layer(Actor(Act::Never)).oneshot(empty());
    let mut late = Box::pin(late);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(late.as_mut().poll(&mut cx).is_pending());
    drop(layer);
    drop(late);
    assert_eq!(written.all().len(), 101);
    assert_eq!(written.all()[100]["outcome"], "aborted");
}

#[tokio::test]
async fn a_stalled_writer_stops_the_service_and_nothing_grows() {
    let gate = Gated::default();
    let lines = JsonLines::to(gate.clone()).capacity(10).unwrap();
    let layer = AuditLayer::new(lines.clone());
    for _ in 0..10 {
        assert_eq!(ask(&layer).await, 200);
    }
    for _ in 0..1000 {
        assert_eq!(ask(&layer).await, 503);
    }
    assert!(lines.flush(Duration::from_millis(10)).is_err());
    assert!(gate.to.text().is_empty());

    gate.open();
    lines.flush(PATIENCE).unwrap();
    assert_eq!(gate.to.all().len(), 10, "not one line more was kept");
    assert_eq!(ask(&layer).await, 200);
    lines.flush(PATIENCE).unwrap();
    let all = gate.to.all();
    assert_eq!(all.len(), 12);
    assert_eq!(all[10]["metadata"]["missing_refused"], 1000);
}

#[tokio::test]
async fn a_writer_that_fails_is_tried_again_and_loses_no_byte() {
    let (events, kinds) = kinds();
    let awkward = Awkward::default();
    let lines = JsonLines::to(awkward.clone()).events(events);
    let layer = AuditLayer::new(lines.clone());
    for _ in 0..3 {
        assert_eq!(ask(&layer).await, 200);
    }
    lines.flush(PATIENCE).unwrap();
    assert_eq!(awkward.to.all().len(), 3);
    assert_eq!(
        *kinds.lock().unwrap(),
        ["writer_failed", "writer_recovered"],
        "once an outage, not once an attempt"
    );
}

#[tokio::test]
async fn records_of_many_threads_do_not_mix() {
    let written = Shared::default();
    let lines = JsonLines::to(written.clone());
    let layer = AuditLayer::new(lines.clone());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let layer = layer.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    for _ in 0..500 {
                        assert_eq!(ask(&layer).await, 200);
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    lines.flush(PATIENCE).unwrap();
    assert_eq!(written.all().len(), 2000);
}

#[test]
fn a_capacity_that_makes_no_sense_is_refused_by_name() {
    for capacity in [0, 1 << 21] {
        let error = JsonLines::to(io::sink()).capacity(capacity).unwrap_err();
        assert!(
            error.to_string().contains(&format!("`{capacity}`")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_file_is_appended_to_and_a_broken_last_line_is_ended() {
    let folder = std::env::temp_dir().join(format!("bartizan-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("audit.log");
    let _ = std::fs::remove_file(&path);
    for before in ["", "{\"schema\":1,\"timest"] {
        let earlier = std::fs::read_to_string(&path).unwrap_or_default();
        std::fs::write(&path, earlier + before).unwrap();
        let layer = AuditLayer::new(JsonLines::append(&path).unwrap());
        ask(&layer).await;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let parsed: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).is_ok())
        .collect();
    assert_eq!(parsed, [true, false, true], "{text}");
    std::fs::remove_dir_all(&folder).unwrap();

    let error = JsonLines::append(folder.join("nowhere/audit.log")).unwrap_err();
    assert!(error.to_string().contains("nowhere/audit.log"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_is_made_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("bartizan-audit-mode-{}", std::process::id()));
    let lines = JsonLines::append(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    drop(lines);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(mode & 0o777, 0o600);
}

//! Two sinks, one of which panics, and a writer that takes little at a time.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_audit::{AuditLayer, AuditSink, JsonLines, Record};
use tower::{Layer as _, ServiceExt as _};

use super::{
    common::*,
    json_lines::{PATIENCE, Shared},
};

/// Panics where it is told to.
#[derive(Clone, Default)]
struct Broken {
    in_reserve: Arc<AtomicBool>,
    in_write: Arc<AtomicBool>,
}

impl AuditSink for Broken {
    fn reserve(&self) -> bool {
        assert!(!self.in_reserve.load(Ordering::SeqCst), "as told");
        true
    }

    fn release(&self) {}

    fn write(&self, _: &Record<'_>) {
        assert!(!self.in_write.load(Ordering::SeqCst), "as told");
    }
}

async fn status(layer: &AuditLayer) -> u16 {
    let service = layer.layer(Actor(Act::Answer(200)));
    service.oneshot(empty()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_sink_that_panics_in_write_costs_the_other_neither_record_nor_room() {
    let (broken, lines) = (Broken::default(), Shared::default());
    let sink = JsonLines::to(lines.clone()).capacity(4).unwrap();
    let layer = AuditLayer::new(broken.clone()).also(sink.clone());
    broken.in_write.store(true, Ordering::SeqCst);
    for _ in 0..9 {
        assert_eq!(status(&layer).await, 200);
        sink.flush(PATIENCE).unwrap();
    }
    broken.in_write.store(false, Ordering::SeqCst);
    assert_eq!(status(&layer).await, 200);
    sink.flush(PATIENCE).unwrap();
    let requests = lines.text().matches("\"outcome\":\"admitted\"").count();
    assert_eq!(requests, 10);
}

#[tokio::test]
async fn a_sink_that_panics_in_reserve_costs_the_other_no_room() {
    let broken = Broken::default();
    let sink = JsonLines::to(Shared::default()).capacity(4).unwrap();
    let layer = AuditLayer::new(sink.clone()).also(broken.clone());
    broken.in_reserve.store(true, Ordering::SeqCst);
    for _ in 0..9 {
        assert_eq!(status(&layer).await, 503);
    }
    broken.in_reserve.store(false, Ordering::SeqCst);
    for _ in 0..9 {
        assert_eq!(status(&layer).await, 200);
        sink.flush(PATIENCE).unwrap();
    }
}

/// Takes 4 KiB, then would block, and so on: a pipe that does not wait.
struct Pipe(Shared, AtomicUsize);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.write(bytes.get(..4096).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_writer_that_takes_some_at_a_time_is_not_paused_ever_longer() {
    let lines = Shared::default();
    let sink = JsonLines::to(Pipe(lines.clone(), AtomicUsize::new(0)));
    let layer = AuditLayer::new(sink.clone());
    for _ in 0..80 {
        status(&layer).await;
    }
    // Ten pauses and more: half a second each would be the shortest of them, were they to grow.
    sink.flush(Duration::from_secs(3)).unwrap();
    assert_eq!(lines.text().lines().count(), 80);
}

/// Its error can't be shown.
#[derive(Debug)]
struct Unshowable;

impl std::fmt::Display for Unshowable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("as told")
    }
}

impl std::error::Error for Unshowable {}

struct FailsOnce(Shared, bool);

impl Write for FailsOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.1, true) {
            self.0.write(bytes)
        } else {
            Err(io::Error::other(Unshowable))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_writer_whose_error_panics_when_shown_is_tried_again() {
    let lines = Shared::default();
    let sink = JsonLines::to(FailsOnce(lines.clone(), false));
    let layer = AuditLayer::new(sink.clone());
    status(&layer).await;
    sink.flush(PATIENCE).unwrap();
    assert_eq!(lines.text().lines().count(), 1);
}

#[tokio::test]
async fn a_layer_flushes_every_sink_it_has() {
    let (first, second) = (Shared::default(), Shared::default());
    let layer = AuditLayer::new(JsonLines::to(first.clone())).also(JsonLines::to(second.clone()));
    for asked in 1..4 {
        status(&layer).await;
        layer.clone().flush(PATIENCE).unwrap();
        assert_eq!(first.text().lines().count(), asked);
        assert_eq!(second.text().lines().count(), asked);
    }
    let gated = super::json_lines::Gated::default();
    let stuck = layer.also(JsonLines::to(gated.clone()));
    status(&stuck).await;
    stuck.flush(Duration::from_millis(50)).unwrap_err();
    gated.open();
    stuck.flush(PATIENCE).unwrap();
}

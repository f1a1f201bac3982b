//! The program itself, while a log grows.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::json;

use super::{append, day, record, refused};
use crate::examples::program;

/// Ends with the test, whatever becomes of that.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &mut Command) -> (Running, Receiver<String>) {
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in out.lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    (Running(child), lines)
}

fn next(lines: &Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[test]
fn a_log_is_followed_through_its_rotation_until_an_interrupt_brings_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    append(&path, &(day().join("\n") + "\n"));
    let mut program = program("audit_watch");
    program
        .args(["--severity", "warning", "--last", "2"])
        .arg(&path);
    let (mut running, lines) = start(&mut program);
    assert!(
        next(&lines).contains("failed 500"),
        "of the last two one is shown"
    );

    append(&path, &refused("eve", "delete_note", "15:10:00"));
    append(&path, "\n");
    assert!(next(&lines).contains("eve@192.0.2.7"));
    fs::rename(&path, folder.path().join("audit.log.000001")).unwrap();
    append(&path, &(record("tool_call", "info", json!({})) + "\n"));
    append(&path, &(refused("mal", "delete_note", "15:10:01") + "\n"));
    assert!(next(&lines).contains("mal@192.0.2.7"));

    let id = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(next(&lines), "");
    assert!(next(&lines).starts_with("records    5 from"));
    assert!(next(&lines).starts_with("outcomes   admitted 1   refused 2   failed 1"));
    assert!(running.0.wait().unwrap().success());
}

#[test]
fn whoever_has_seen_enough_ends_it_without_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    append(&path, &(day().join("\n") + "\n").repeat(2000));
    let mut program = program("audit_watch");
    program
        .arg("--once")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

//! The file: rotation, its one writer, and what a crash leaves.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use bartizan_audit::{AuditLayer, Queue, RotatingFile, SyncPolicy};
use serde_json::Value;

use super::{common::*, json_lines::PATIENCE, queue::ask};

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Those in the folder, by their names, with the id of each record.
fn all(folder: &Path) -> Vec<(String, Vec<String>)> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let ids = |path: &PathBuf| {
        let ids = lines(path).into_iter();
        ids.map(|line| line["correlation_id"].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (named(path), ids(path))).collect()
}

#[tokio::test]
async fn a_full_file_is_kept_beside_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    fs::write(folder.path().join("audit.log.000004"), "").unwrap();
    let file = RotatingFile::open(&path).unwrap().rotate_at(4096).unwrap();
    let queue = Queue::to(file);
    let layer = AuditLayer::new(queue);
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(ask(&layer).await.1);
        layer.flush(PATIENCE).unwrap();
    }
    let all = all(folder.path());
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names[..3],
        ["audit.log", "audit.log.000004", "audit.log.000005"]
    );
    assert!(names.len() > 4, "{names:?}");
    assert!(!names.contains(&"audit.log.new"), "{names:?}");
    // The oldest first, the current one last.
    let found = all.iter().cycle().skip(1).take(all.len());
    let found: Vec<_> = found.flat_map(|(_, ids)| ids.clone()).collect();
    assert_eq!(found, ids);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn records_are_numbered_on_after_a_restart_also_where_the_last_one_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    for _ in 0..3 {
        let file = RotatingFile::open(&path).unwrap();
        let layer = AuditLayer::new(Queue::to(file.rotate_at(4096).unwrap()));
        for _ in 0..5 {
            ask(&layer).await;
            layer.flush(PATIENCE).unwrap();
        }
    }
    let mut kept: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    kept.sort_by_key(|entry| entry.as_ref().unwrap().path());
    kept.rotate_left(1);
    let kept = kept.into_iter().map(|entry| lines(&entry.unwrap().path()));
    let numbers: Vec<_> = kept
        .flatten()
        .map(|line| line["sequence"].clone())
        .collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    // A crash came between a file and its first line, or nothing but the line's half was written.
    fs::rename(&path, folder.path().join("audit.log.000009")).unwrap();
    fs::write(&path, "{\"half").unwrap();
    let layer = AuditLayer::new(Queue::to(RotatingFile::open(&path).unwrap()));
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    assert_eq!(lines(&path).last().unwrap()["sequence"], 16);
}

#[tokio::test]
async fn an_old_file_is_kept_beside_though_nothing_more_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let file = RotatingFile::open(&path).unwrap();
    let file = file.rotate_every(Duration::from_secs(1)).unwrap();
    let layer = AuditLayer::new(Queue::to(file));
    ask(&layer).await;
    let kept = folder.path().join("audit.log.000001");
    let until = std::time::Instant::now() + PATIENCE;
    while !kept.exists() && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(lines(&kept).len(), 1);
}

#[test]
fn a_file_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let first = RotatingFile::open(&path).unwrap();
    let second = RotatingFile::open(&path).unwrap_err().to_string();
    assert!(second.contains("another one writes it"), "{second}");
    drop(first);
    assert!(RotatingFile::open(&path).is_ok());
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_a_record_and_an_event_say_so() {
    for torn in [&b"{\"half\":"[..], b"\0\0\0\0\0\0\0\0"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, [b"{\"whole\":1}\n", torn].concat()).unwrap();
        let (events, kinds) = kinds();
        let file = RotatingFile::open(&path).unwrap().events(events);
        drop(Queue::to(file));
        let lines = lines(&path);
        assert_eq!(lines[0]["whole"], 1);
        assert_eq!(lines[1]["event_type"], "audit_gap");
        assert_eq!(lines[1]["findings"][0]["kind"], "line_torn");
        let reason = lines[1]["findings"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("8 bytes"), "{reason}");
        assert_eq!(*kinds.lock().unwrap(), ["line_torn"]);
    }
}

#[tokio::test]
async fn a_last_line_that_lacks_nothing_but_its_end_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    fs::write(&path, "{\"whole\":1}\n{\"whole\":2,\"sequence\":7}").unwrap();
    let (events, kinds) = kinds();
    let file = RotatingFile::open(&path).unwrap().events(events);
    let layer = AuditLayer::new(Queue::to(file));
    ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let lines = lines(&path);
    assert_eq!(
        (&lines[1]["whole"], &lines[2]["sequence"]),
        (&2.into(), &8.into())
    );
    assert!(kinds.lock().unwrap().is_empty());
}

#[test]
fn what_is_no_log_is_not_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "a line\nmy only copy").unwrap();
    assert!(RotatingFile::open(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "a line\nmy only copy");
}

#[tokio::test]
async fn a_rotation_that_a_crash_interrupted_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    fs::write(&path, "{\"correlation_id\":\"old\"}\n").unwrap();
    fs::hard_link(&path, folder.path().join("audit.log.000001")).unwrap();
    fs::write(folder.path().join("audit.log.new"), "").unwrap();
    let layer = AuditLayer::new(Queue::to(RotatingFile::open(&path).unwrap()));
    let (_, first) = ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let (_, second) = ask(&layer).await;
    layer.flush(PATIENCE).unwrap();
    let names = ["audit.log".to_owned(), "audit.log.000001".to_owned()];
    let [current, kept] = names;
    let expected = [(current, vec![second]), (kept, vec!["old".into(), first])];
    assert_eq!(all(folder.path()), expected);
}

#[test]
fn a_setting_that_is_out_of_range_names_itself() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| RotatingFile::open(folder.path().join(name)).unwrap();
    let error = open("a").rotate_at(4095).unwrap_err().to_string();
    assert!(error.contains("4095"), "{error}");
    let error = open("b").rotate_every(Duration::ZERO).unwrap_err();
    assert!(error.to_string().contains("0ns"), "{error}");
    let error = RotatingFile::open("/nowhere/audit.log").unwrap_err();
    assert!(error.to_string().contains("/nowhere/audit.log"), "{error}");
    let _ = open("c").sync(SyncPolicy::Always);
}

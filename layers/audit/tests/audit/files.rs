//! The file: rotation, its one writer, what a crash leaves, and disks and pipes that take nothing.

use std::{
    env, fs,
    io::Read,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bartizan_audit::{AuditLayer, Overflow, Queue, RotatingFile, SyncPolicy};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_refuses_drops_or_spills_as_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill.jsonl");
    for (overflow, statuses) in [
        (Overflow::Refuse, [200, 200, 503, 503]),
        (
            Overflow::Wait(Duration::from_millis(20)),
            [200, 200, 503, 503],
        ),
        (Overflow::Drop, [200; 4]),
        (Overflow::Spill(spill.clone()), [200; 4]),
    ] {
        let (events, kinds) = kinds();
        let queue = Queue::to(RotatingFile::open("/dev/full").unwrap());
        let queue = queue.capacity(2).unwrap().overflow(overflow.clone());
        let layer = AuditLayer::new(queue.unwrap().events(events));
        for status in statuses {
            assert_eq!(ask(&layer).await.0, status, "{overflow:?}");
        }
        let until = std::time::Instant::now() + PATIENCE;
        while !kinds.lock().unwrap().contains(&"writer_failed") {
            assert!(std::time::Instant::now() < until, "{overflow:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::mem::forget(layer);
    }
    assert_eq!(lines(&spill).len(), 2);
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_stalls_and_goes_on_where_it_came_to() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let (events, kinds) = kinds();
    let queue = Queue::to(RotatingFile::open(&pipe).unwrap()).capacity(300);
    let queue = queue
        .unwrap()
        .overflow(Overflow::Drop)
        .unwrap()
        .events(events);
    let layer = AuditLayer::new(queue);
    // More than a pipe holds.
    let mut ids = Vec::new();
    for _ in 0..400 {
        ids.push(ask(&layer).await.1);
    }
    let until = std::time::Instant::now() + PATIENCE;
    while kinds.lock().unwrap().len() < 2 && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let reads = pipe.clone();
    let reader = std::thread::spawn(move || {
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let mut pipe = fs::OpenOptions::new();
        let mut pipe = pipe.read(true).custom_flags(flags).open(reads).unwrap();
        let mut text = Vec::new();
        let until = std::time::Instant::now() + PATIENCE;
        let is_whole = |text: &[u8]| String::from_utf8_lossy(text).contains("audit_gap");
        while !is_whole(&text) && std::time::Instant::now() < until {
            let mut some = [0; 4096];
            match pipe.read(&mut some) {
                Ok(read) => text.extend_from_slice(&some[..read]),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        String::from_utf8(text).unwrap()
    });
    layer.flush(PATIENCE).unwrap();
    let text = reader.join().unwrap();
    let found = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found: Vec<_> = found.collect();
    let gap = found.last().unwrap();
    let taken = found.len() - 1;
    assert_eq!(gap["event_type"], "audit_gap");
    assert_eq!(gap["metadata"]["missing_passed"], 400 - taken);
    for (line, id) in found.iter().zip(&ids[..taken]) {
        assert_eq!(line["correlation_id"], **id);
    }
    let kinds = kinds.lock().unwrap();
    assert!(kinds.contains(&"queue_full"), "{kinds:?}");
    assert!(kinds.contains(&"writer_recovered"), "{kinds:?}");
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

const LIMITED: &str = "BARTIZAN_AUDIT_LIMITED";

#[test]
fn at_a_limit_of_the_files_size_each_policy_does_what_it_says_and_recovers() {
    // Else the signal ends the process.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(["audit::files::a_file_at_its_limit", "--exact", "--ignored"])
        .env(LIMITED, "yes")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(
        limited.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.or(maximum);
    setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
}

#[tokio::test]
#[ignore = "is run by another test, with a signal ignored"]
async fn a_file_at_its_limit() {
    if env::var_os(LIMITED).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill.jsonl");
    for (name, overflow, is_served) in [
        ("refuse", Overflow::Refuse, false),
        ("wait", Overflow::Wait(Duration::from_millis(20)), false),
        ("drop", Overflow::Drop, true),
        ("spill", Overflow::Spill(spill.clone()), true),
    ] {
        let path = folder.path().join(name);
        let (events, kinds) = kinds();
        let queue = Queue::to(RotatingFile::open(&path).unwrap()).capacity(4);
        let queue = queue.unwrap().overflow(overflow).unwrap().events(events);
        let layer = AuditLayer::new(queue);
        limit(Some(6000));
        let mut served = Vec::new();
        while !kinds.lock().unwrap().contains(&"writer_failed") {
            served.push(ask(&layer).await.1);
            let _ = layer.flush(Duration::from_millis(100));
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 6000, "part of a line");
        let mut refused = 0;
        for _ in 0..8 {
            match ask(&layer).await {
                (200, id) => served.push(id),
                (_, _) => refused += 1,
            }
        }
        assert_eq!(refused == 0, is_served, "{name}");
        limit(None);
        layer.flush(PATIENCE).unwrap();
        let told = kinds.lock().unwrap().clone();
        assert!(told.contains(&"writer_recovered"), "{name} {told:?}");
        assert_eq!(told.contains(&"queue_full"), is_served, "{name} {told:?}");
        let lines = lines(&path);
        let gaps = lines
            .iter()
            .filter(|line| line["event_type"] == "audit_gap");
        let count = |member: &str| {
            let counts = gaps.clone().map(|gap| &gap["metadata"][member]);
            counts.filter_map(Value::as_u64).sum::<u64>()
        };
        let (missing, spilled) = (count("missing_passed"), count("spilled"));
        let ids = lines
            .iter()
            .filter_map(|line| line["correlation_id"].as_str());
        let written: Vec<_> = ids.collect();
        let first = served.len() - usize::try_from(missing + spilled).unwrap();
        assert_eq!(written, served[..first], "{name}");
        assert_eq!(
            (missing > 0, spilled > 0),
            (name == "drop", name == "spill")
        );
    }
    let spilled = lines(&spill).len();
    assert!(spilled > 0, "{spilled}");
}

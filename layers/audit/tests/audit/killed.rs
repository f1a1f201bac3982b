//! A process that is killed while it writes: what it was told to be durable is there, and the chain goes on.

use std::{
    collections::HashSet,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bartizan_audit::{
    AuditLayer, Chain, ChainKeys, Head, Queue, Report, RotatingFile, VerifyKeys, verify,
};
use bartizan_core::Secret;
use serde_json::Value;

use super::queue::{Durably, ask};

const FOLDER: &str = "BARTIZAN_AUDIT_KILLED";

fn keys() -> ChainKeys {
    let (mac, seed) = (Secret::from(vec![7; 32]), Secret::from(vec![9; 32]));
    ChainKeys::new(1, &mac, &seed).unwrap()
}

/// The files of the log, the oldest first.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_log = |name: &str| name == "log" || name.starts_with("log.0");
    let mut paths: Vec<_> = paths
        .filter(|path| is_log(path.file_name().unwrap().to_str().unwrap()))
        .collect();
    paths.sort();
    paths.rotate_left(1);
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn judged(files: &[Vec<u8>], keys: &VerifyKeys, head: Option<&Head>) -> Report {
    verify(files.iter().map(Vec::as_slice), keys, head).unwrap()
}

#[test]
fn after_twenty_kills_under_load_each_durable_record_is_there_and_the_chain_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (mut confirmed, mut heads) = (HashSet::new(), Vec::new());
    for round in 0..20 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "audit::killed::writes_until_it_is_killed",
                "--exact",
                "--ignored",
            ])
            .args(["--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        // Each time elsewhere, some between a batch and the next.
        let most = 20 + round * 17;
        let mut lines = 0;
        for line in out.lines() {
            let line = line.unwrap();
            if let Some(id) = line.strip_prefix("durable ") {
                confirmed.insert(id.to_owned());
                lines += 1;
            } else if let Some(head) = line.strip_prefix("head ") {
                heads.push(head.parse::<Head>().unwrap());
            }
            if lines == most {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(lines >= most, "round {round}: {lines}");
    }
    // What the last kill left is cut off by the next one that opens it.
    drop(Queue::to(opened(folder.path())));
    let files = files(folder.path());
    assert!(files.len() > 1);
    let head = heads.iter().max_by_key(|head| head.seq()).unwrap();
    let report = judged(&files, &keys().verifying(), Some(head));
    assert_eq!(report.bad, None);
    let text = files.concat();
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let line: Value = serde_json::from_slice(line).unwrap();
        if let Some(id) = line["correlation_id"].as_str() {
            confirmed.remove(id);
        }
    }
    assert_eq!(confirmed, HashSet::new());
}

fn opened(folder: &Path) -> Chain {
    let file = RotatingFile::open(folder.join("log")).unwrap();
    let chain = Chain::over(file.rotate_at(256 << 10).unwrap(), keys()).unwrap();
    chain.checkpoints(50, Duration::from_millis(100)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "is run by another test, which kills it"]
async fn writes_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let chain = opened(Path::new(&folder));
    let queue = Queue::to(chain.heads(move |head| say(format!("\nhead {head}\n"))));
    let writers = (0..8).map(|_| {
        let durably = Durably(queue.clone(), Arc::default());
        tokio::spawn(async move {
            let layer = AuditLayer::new(durably.clone());
            loop {
                let (_, id) = ask(&layer).await;
                let durable = durably.1.lock().unwrap().pop().unwrap();
                durable.await.unwrap();
                say(format!("\ndurable {id}\n"));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert!(writer.await.is_err(), "it never ends");
    }
}

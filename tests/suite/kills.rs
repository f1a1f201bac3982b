//! A server that is killed under load, again and again: whatever destructive call ran has a record of its
//! intent, and the log's chain goes on.
//!
//! Clients note which calls were answered, and the tool which calls it ran, in a journal that it does not
//! sync. After each kill both are held against the log.

mod killed;

use std::{
    collections::HashSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan::audit::verify;
use bartizan_kit::{Revision, call_tool};
use http_body_util::BodyExt;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet};

use killed::{Killed, keys, opened};

const ROUNDS: usize = 20;
const CLIENTS: usize = 6;

/// What is left of it is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("bartizan-suite-kills-{}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// The files of the log, the oldest first.
    fn log(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut kept: Vec<_> = names.filter(|name| name.starts_with("log.0")).collect();
        kept.sort();
        let names = kept.iter().map(String::as_str).chain(["log"]);
        names
            .map(|name| fs::read(self.0.join(name)).unwrap())
            .collect()
    }

    /// Each line of it that is whole.
    fn lines(&self) -> Vec<Value> {
        let text = self.log().concat();
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        let whole = lines.filter(|line| line.ends_with(b"\n"));
        whole
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    /// The correlation ids of those of its records that are of this type.
    fn ids(&self, event_type: &str) -> HashSet<String> {
        let lines = self.lines().into_iter();
        let those = lines.filter(|line| line["event_type"] == event_type);
        those
            .map(|line| line["correlation_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The correlation ids of the calls that the tool ran.
    fn ran(&self) -> HashSet<String> {
        let journal = fs::read_to_string(self.0.join("journal")).unwrap();
        journal.lines().map(str::to_owned).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_twenty_kills_under_load_each_destructive_call_that_ran_has_its_record_and_the_chain_verifies()
 {
    let folder = Folder::new();
    let (mut answered, mut torn) = (HashSet::new(), 0);
    for round in 0..ROUNDS {
        let server = Killed::start(&folder.0);
        let these = load_and_kill(server).await;
        assert!(!these.is_empty(), "round {round}");
        answered.extend(these);
        let (intents, ran) = (folder.ids("intent"), folder.ran());
        let without: Vec<_> = answered.difference(&intents).collect();
        assert!(
            without.is_empty(),
            "answered, round {round}, without a record: {without:?}"
        );
        let without: Vec<_> = ran.difference(&intents).collect();
        assert!(
            without.is_empty(),
            "ran, round {round}, without a record: {without:?}"
        );
        assert!(answered.is_subset(&ran), "it is the tool that answers");
        // A machine that fails may leave half a line, which a kill seldom does.
        if round % 5 == 4 {
            tear(&folder.0.join("log"));
            torn += 1;
        }
    }
    drop(opened(&folder.0));
    let files = folder.log();
    assert!(files.len() > 2, "it was rotated");
    let files = files.iter().map(Vec::as_slice);
    let report = verify(files, &keys().verifying(), None).unwrap();
    assert_eq!((report.bad, report.first), (None, Some(1)));
    assert!(report.signed > Some(0));

    let lines = folder.lines();
    let numbers = lines.iter().filter_map(|line| line["sequence"].as_u64());
    let numbers: Vec<_> = numbers.collect();
    let last = u64::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    let told = |line: &&Value| line["findings"][0]["kind"] == "line_torn";
    assert!(lines.iter().filter(told).count() >= torn, "of torn lines");
}

fn tear(log: &Path) {
    let mut log = fs::OpenOptions::new().append(true).open(log).unwrap();
    log.write_all(b"{\"timestamp\":\"2026-11-2").unwrap();
}

/// Calls it from several sides, and kills it at some moment; the ids of the destructive calls that were
/// answered.
async fn load_and_kill(mut server: Killed) -> HashSet<String> {
    let [most, micros, ..] = random();
    let (left, enough) = (
        Arc::new(AtomicUsize::new(usize::from(most % 40) + 10)),
        Arc::new(Notify::new()),
    );
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (left, enough) = (Arc::clone(&left), Arc::clone(&enough));
        let (url, token) = (server.url.clone(), server.token.clone());
        clients.spawn(async move {
            let (http, mut answered) = (Client::new(), Vec::new());
            for turn in client.. {
                let tool = if turn % 4 == 3 { "read" } else { "delete" };
                let Some(id) = ask(&http, &url, &token, tool).await else {
                    break;
                };
                answered.extend((tool == "delete").then_some(id));
                if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                    enough.notify_one();
                }
            }
            answered
        });
    }
    enough.notified().await;
    // Wherever all of them are by then.
    tokio::time::sleep(Duration::from_micros(u64::from(micros) * 100)).await;
    server.kill();
    clients.join_all().await.into_iter().flatten().collect()
}

/// The correlation id of an answer; `None` once nobody answers.
async fn ask(http: &Client, url: &str, token: &str, tool: &str) -> Option<String> {
    let request = call_tool(Revision::V2026_07_28, tool, json!({})).bearer(token);
    let (mut parts, body) = request.build().into_parts();
    parts.headers.remove("host");
    let body = body.collect().await.unwrap().to_bytes();
    let request = http.request(parts.method, url).headers(parts.headers);
    let answer = request.body(body).send().await.ok()?;
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let status = answer.status();
    let answer = answer.bytes().await.ok()?;
    let said = String::from_utf8_lossy(&answer);
    assert!(status == 200 && said.contains("done"), "{status} {said}");
    Some(id)
}

fn random() -> [u8; 2] {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

//! Starts a server and a client, each on a CPU of its own, and looks at what the server used.

use std::{
    env::current_exe,
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use crate::{load::Load, report::Round, serve::Server};

const SERVERS_CPU: &str = "0";
const CLIENTS_CPU: &str = "1";

pub(crate) fn measure(server: Server, seconds: u64) -> Round {
    let mut process = pinned(SERVERS_CPU, ["--serve", server.name()]);
    let mut reachable = String::new();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    lines.read_line(&mut reachable).unwrap();

    load(1, &reachable);
    let before = processor_time(process.id());
    let load = load(seconds, &reachable);
    let used = processor_time(process.id()) - before;

    // Its standard input ends, and so does the server.
    drop(process.stdin.take());
    process.wait().unwrap();
    Round {
        server,
        rate: load.requests as f64 / load.seconds,
        p50_ms: load.p50_ms,
        p99_ms: load.p99_ms,
        cpu_us: used * 1e6 / load.requests as f64,
        busy: used / load.seconds,
        client_busy: load.used / load.seconds,
    }
}

fn load(seconds: u64, reachable: &str) -> Load {
    let mut client = pinned(CLIENTS_CPU, ["--load", &seconds.to_string()]);
    client
        .stdin
        .take()
        .unwrap()
        .write_all(reachable.as_bytes())
        .unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "the client failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// This program again, on one CPU.
fn pinned(cpu: &str, arguments: [&str; 2]) -> Child {
    Command::new("taskset")
        .args(["--cpu-list", cpu])
        .arg(current_exe().unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`taskset` (util-linux) does not run: {error}"))
}

/// Seconds that a process had a processor for: user and system, fields 14 and 15 of its `stat`.
fn processor_time(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u64>().unwrap();
    let per_second = rustix::param::clock_ticks_per_second();
    (ticks(11) + ticks(12)) as f64 / per_second as f64
}

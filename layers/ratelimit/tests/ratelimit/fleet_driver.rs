//! Starts processes that share a Redis, and speaks with them.

use std::{process::Stdio, time::Duration};

use bartizan_kit::RedisServer;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::fleet_process::{PROCESSES, TASK, Told};

/// The test that is one of the processes.
const NAME: &str = "fleet_process::is_one_of_the_processes";

/// What processes did so far.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// Questions to Redis.
    pub(crate) trips: u64,
    /// Those that take Redis for away.
    pub(crate) away: u64,
    /// Of each process.
    pub(crate) admitted: Vec<u64>,
}

/// The four processes.
pub(crate) struct Processes(Vec<(Child, Lines<BufReader<ChildStdout>>)>);

impl Processes {
    /// Each connected to Redis, and waiting.
    pub(crate) async fn start(scenario: &str, redis: &RedisServer) -> Self {
        let spawn = |_| {
            let mut process = Command::new(std::env::current_exe().unwrap())
                .args([NAME, "--exact", "--nocapture", "--test-threads=1"])
                .env(TASK, format!("{scenario} {}", redis.url()))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let lines = BufReader::new(process.stdout.take().unwrap()).lines();
            (process, lines)
        };
        let mut all = Self((0..PROCESSES).map(spawn).collect());
        for (_, lines) in &mut all.0 {
            until(lines, "ready").await;
        }
        all
    }

    pub(crate) async fn tell(&mut self, line: &str) {
        for (process, _) in &mut self.0 {
            let input = process.stdin.as_mut().unwrap();
            input
                .write_all(format!("{line}\n").as_bytes())
                .await
                .unwrap();
        }
    }

    /// How they stand, all together.
    pub(crate) async fn count(&mut self) -> Counted {
        self.tell("count").await;
        let mut counted = Counted::default();
        for (_, lines) in &mut self.0 {
            let line = until(lines, "counted: ").await;
            let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            counted.trips += numbers[0];
            counted.away += numbers[1];
            counted.admitted.push(numbers[2]);
        }
        counted
    }

    /// Kills the first of them, with all that it had.
    pub(crate) async fn kill_one(&mut self) {
        let (mut process, _) = self.0.remove(0);
        process.kill().await.unwrap();
    }

    /// What each of them has to say.
    pub(crate) async fn end(mut self) -> Vec<Told> {
        self.tell("end").await;
        let mut told = Vec::new();
        for (_, lines) in &mut self.0 {
            let line = until(lines, "told: ").await;
            told.push(Told::read(&line));
        }
        told
    }
}

/// The rest of the line that has this in it.
async fn until(lines: &mut Lines<BufReader<ChildStdout>>, what: &str) -> String {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, rest)) = line.split_once(what) {
                return rest.to_owned();
            }
        }
        panic!("a process ended before it said `{what}`");
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .unwrap()
}

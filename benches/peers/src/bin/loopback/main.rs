//! rmcp over loopback: bare, behind our stack, behind the peers'.
//!
//! ```sh
//! cargo run --release --bin loopback             # a table of Markdown
//! cargo run --release --bin loopback -- --json
//! cargo run --release --bin loopback -- --check  # fails if ours keeps less than 72 % of bare
//! ```
//!
//! The server has CPU 0 and one worker thread, the client CPU 1 and 16 connections (`taskset`).
//! Each server is loaded for a second, then measured for `--seconds` (8); the servers take turns,
//! `--rounds` (3), and the best round of each counts. Beside it stands the median of what was kept
//! of bare in the same round, which on a noisy machine says more: `--seconds 1 --rounds 20`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a measurement")]

mod control;
mod echo;
mod load;
mod report;
mod serve;

use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

use crate::serve::Server;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loopback: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, lexopt::Error> {
    let (mut json, mut check, mut seconds, mut rounds) = (false, false, 8, 3_usize);
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("json") => json = true,
            Arg::Long("check") => check = true,
            Arg::Long("seconds") => seconds = parser.value()?.parse()?,
            Arg::Long("rounds") => rounds = parser.value()?.parse()?,
            // The two processes that this one starts of itself.
            Arg::Long("serve") => {
                serve::serve(parser.value()?.parse_with(Server::named)?);
                return Ok(ExitCode::SUCCESS);
            }
            Arg::Long("load") => {
                load::load(parser.value()?.parse()?);
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected()),
        }
    }
    let mut measured = Vec::new();
    for round in 1..=rounds {
        let row = |server: Server| {
            eprintln!("round {round} of {rounds}: {}", server.name());
            control::measure(server, seconds)
        };
        measured.push(Server::ALL.map(row));
    }
    let rows = report::rows(&measured);
    report::print(&rows, json);
    let missed = check && report::missed(&rows);
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

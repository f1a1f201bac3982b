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
//! `--rounds` (3), and the best round of each counts.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a measurement")]

mod control;
mod echo;
mod load;
mod report;
mod serve;

use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

use crate::{report::Row, serve::Server};

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
    let (mut json, mut check, mut seconds, mut rounds) = (false, false, 8, 3);
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
    let mut best: Vec<Option<Row>> = Server::ALL.iter().map(|_| None).collect();
    for round in 1..=rounds {
        for (server, best) in Server::ALL.into_iter().zip(&mut best) {
            eprintln!("round {round} of {rounds}: {}", server.name());
            let row = control::measure(server, seconds);
            if best.as_ref().is_none_or(|best| row.rate > best.rate) {
                *best = Some(row);
            }
        }
    }
    let rows: Vec<_> = best.into_iter().flatten().collect();
    report::print(&rows, json);
    let missed = check && report::missed(&rows);
    Ok(if missed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

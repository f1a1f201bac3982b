//! How many times as fast ours is as the peers, with allocations.
//!
//! ```sh
//! cargo bench --bench ratios                   # a table of Markdown
//! cargo bench --bench ratios -- --json
//! cargo bench --bench ratios -- --check        # fails where a goal is missed
//! cargo bench --bench ratios -- --only parity/rs256
//! cargo bench --bench ratios -- --lines --only full   # the peers' audit lines are written too
//! ```
//!
//! A sample is four blocks in the order peer, ours, ours, peer; its ratio is what counts, so that
//! a neighbour who slows the machine for a while slows both. `--samples` (40) are taken in each of
//! `--passes` (3). The times shown are each side's lowest median of a pass.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a measurement")]

mod counts;
mod options;
mod report;
mod sampling;

use std::process::ExitCode;

use bartizan_peers::{cases, equal, lines};

use crate::{counts::Counts, options::Options, report::Report, sampling::Times};

fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("ratios: {error}");
            return ExitCode::FAILURE;
        }
    };
    let world = cases::World::new();
    equal::prove(&world);
    let _writing = options.lines.then(lines::write);
    let mut cases = cases::all();
    cases.retain(|case| options.wants(case.name));

    let mut times: Vec<_> = cases.iter().map(|_| Times::default()).collect();
    for pass in 1..=options.passes {
        eprintln!("pass {pass} of {}", options.passes);
        for (case, times) in cases.iter().zip(&mut times) {
            times.sample(case, &world, options.samples);
        }
    }
    let counts = Counts::take();
    let rows = cases
        .iter()
        .zip(&times)
        .map(|(case, times)| Report::new(case, times, &counts));
    let rows: Vec<_> = rows.collect();
    report::print(&rows, options.json);

    let missed: Vec<_> = rows.iter().flat_map(Report::missed).collect();
    if !options.check || missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for what in missed {
        eprintln!("ratios: {what}");
    }
    ExitCode::FAILURE
}

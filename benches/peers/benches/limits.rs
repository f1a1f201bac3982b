//! What a decision of our limiter costs beside those of governor, tower_governor and tower-rate-limiter, with allocations.
//!
//! ```sh
//! cargo bench --bench limits                                # a table of Markdown
//! cargo bench --bench limits -- --only layer/4
//! # With tower-rate-limiter, which says that it needs Rust 1.96:
//! cargo bench --bench limits --features tower-rate-limiter --ignore-rust-version
//! ```
//!
//! A sample is a block of each side and then, the other way round, another: a neighbour who slows the machine for a while
//! slows all. By the time that the thread had the processor. The ratios of the samples count, of which there are `--samples` (60).

#![allow(clippy::unwrap_used, reason = "a measurement")]

use std::{collections::BTreeMap, process::Command, time::Duration};

use bartizan_peers::limits::{CASES, Caller, Case, Side};
use lexopt::{Arg, Parser, ValueExt};
use rustix::time::{ClockId, clock_gettime};

/// Asked at once.
const BATCH: u32 = 256;
/// Batches of a block.
const BATCHES: u32 = 24;

type Counts = BTreeMap<String, BTreeMap<String, [f64; 2]>>;

fn main() -> Result<(), lexopt::Error> {
    let (mut samples, mut only) = (60_usize, String::new());
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("samples") => samples = parser.value()?.parse()?,
            Arg::Long("only") => only = parser.value()?.string()?,
            Arg::Long("bench") => {} // what Cargo adds
            other => return Err(other.unexpected()),
        }
    }
    let counting = Command::new(env!("CARGO_BIN_EXE_limit_allocations")).output();
    let counting = counting.unwrap();
    assert!(counting.status.success(), "{counting:?}");
    let counts: Counts = serde_json::from_slice(&counting.stdout).unwrap();
    println!("| case | peer | its time by ours (5–95 %) | it allocates | ours allocates |");
    println!("|---|---|--:|--:|--:|");
    for case in CASES.iter().filter(|case| case.name.contains(&only)) {
        measure(case, samples, &counts[case.name]);
    }
    Ok(())
}

fn measure(case: &Case, samples: usize, counts: &BTreeMap<String, [f64; 2]>) {
    let mut sides = case.sides();
    let mut asked = Asked {
        callers: case.callers,
        last: 0,
    };
    for side in &mut sides {
        asked.block(side);
    }
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
    for _ in 0..samples {
        let before: Vec<_> = sides.iter_mut().map(|side| asked.block(side)).collect();
        let after: Vec<_> = sides
            .iter_mut()
            .rev()
            .map(|side| asked.block(side))
            .collect();
        let times = before.iter().zip(after.iter().rev()).map(|(a, b)| *a + *b);
        let times: Vec<_> = times.map(|time| time.as_secs_f64()).collect();
        for (ratios, time) in ratios.iter_mut().zip(&times) {
            ratios.push(time / times[0]);
        }
    }
    for (side, ratios) in sides.iter().zip(&mut ratios).skip(1) {
        ratios.sort_by(f64::total_cmp);
        let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part).round() as usize];
        let count = |name: &str| {
            let [count, bytes] = counts[name];
            format!("{count:.1} / {bytes:.0} B")
        };
        println!(
            "| `{}` | {} | **{:.2}** ({:.2}–{:.2}) | {} | {} |",
            case.name,
            side.name,
            at(0.5),
            at(0.05),
            at(0.95),
            count(side.name),
            count("ours"),
        );
    }
}

/// Who asks: where there are many, in no order that a cache could keep.
struct Asked {
    callers: u32,
    last: u32,
}

impl Asked {
    fn block(&mut self, side: &mut Side) -> Duration {
        let mut time = Duration::ZERO;
        for _ in 0..BATCHES {
            let batch: Vec<_> = (0..BATCH).map(|_| self.next()).collect();
            side.work.prepare(&batch);
            let begun = thread_time();
            side.work.run();
            time += thread_time() - begun;
        }
        time
    }

    fn next(&mut self) -> Caller {
        self.last = self
            .last
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        // The upper bits are the better ones.
        Caller(((u64::from(self.last) * u64::from(self.callers)) >> 32) as u32)
    }
}

fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

//! How often and how much each limiter allocates for one decision, as one line of JSON. It is a program of its own because
//! the counting allocator would slow what is timed elsewhere.

use std::collections::BTreeMap;

use bartizan_peers::limits::{CASES, Caller};

const ASKED: u64 = 320;

fn main() {
    let mut counts = BTreeMap::new();
    for case in CASES {
        let mut sides = BTreeMap::new();
        for mut side in case.sides() {
            let callers: Vec<_> = (0..ASKED as u32)
                .map(|n| Caller(n % case.callers))
                .collect();
            let mut counted = allocation_counter::AllocationInfo::default();
            // What is made once and kept is not counted.
            for _ in 0..2 {
                side.work.prepare(&callers);
                counted = allocation_counter::measure(|| side.work.run());
            }
            let each = [counted.count_total, counted.bytes_total];
            sides.insert(side.name, each.map(|total| total as f64 / ASKED as f64));
        }
        counts.insert(case.name, sides);
    }
    println!("{}", serde_json::json!(counts));
}

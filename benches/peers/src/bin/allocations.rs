//! How often and how much each side of each case allocates, as one line of JSON.
//!
//! Counted is what goes through Rust's allocator, per request. It is a program of its own because
//! the counting allocator would slow what is timed elsewhere.

use std::collections::BTreeMap;

use bartizan_peers::{
    cases,
    side::{Gauge, Measured},
    stacks::Who,
};

const REQUESTS: usize = 320;
const GAUGE: Gauge = |work| {
    let counted = allocation_counter::measure(work);
    Measured {
        allocations: counted.count_total,
        bytes: counted.bytes_total,
        ..Measured::default()
    }
};

fn main() {
    let world = cases::World::new();
    let mut counts = BTreeMap::new();
    for case in cases::all() {
        let sides = Who::BOTH.map(|who| {
            let mut side = case.side(&world, who);
            side.run(REQUESTS, GAUGE); // what is made once and kept
            let counted = side.run(REQUESTS, GAUGE);
            let each = |total: u64| total as f64 / REQUESTS as f64;
            let each = [each(counted.allocations), each(counted.bytes)];
            (who.name(), each)
        });
        counts.insert(case.name, BTreeMap::from(sides));
    }
    println!("{}", serde_json::json!(counts));
}

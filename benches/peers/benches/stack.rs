//! Both stacks under criterion: `stack/peer/<case>` and `stack/ours/<case>`.
//!
//! ```sh
//! cargo bench --bench stack
//! ```

use std::time::Duration;

use bartizan_peers::{cases, equal, stacks::Who};
use criterion::{Criterion, criterion_group, criterion_main};

fn stack(c: &mut Criterion) {
    let world = cases::World::new();
    equal::prove(&world);
    for case in cases::all() {
        for who in Who::BOTH {
            let id = format!("stack/{}/{}", who.name(), case.name);
            let mut side = None;
            c.bench_function(&id, |b| {
                let side = side.get_or_insert_with(|| case.side(&world, who));
                b.iter_custom(|count| side.time(usize::try_from(count).unwrap_or(usize::MAX)));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    targets = stack
}
criterion_main!(benches);

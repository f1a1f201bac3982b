use std::time::Duration;

use bartizan_peers::{
    cases::{Case, World},
    side::Side,
    stacks::Who,
};

/// About how long a block takes: long enough for the clock, short enough that a neighbour who
/// comes or goes meets all four blocks of a sample.
const BLOCK: Duration = Duration::from_millis(3);

/// What was measured of a case.
#[derive(Default)]
pub(crate) struct Times {
    /// Peer's time by ours, one for each sample of all passes.
    pub(crate) ratios: Vec<f64>,
    /// Each side's median time per request in nanoseconds, the lowest of all passes.
    pub(crate) peer: Option<f64>,
    pub(crate) ours: Option<f64>,
}

impl Times {
    /// Takes the samples of one pass, with new stacks.
    pub(crate) fn sample(&mut self, case: &Case, world: &World, samples: usize) {
        let [mut peer, mut ours] = Who::BOTH.map(|who| Timed::new(case.side(world, who)));
        let mut pairs = Vec::with_capacity(samples);
        for _ in 0..samples {
            let (before, a, b, after) = (peer.block(), ours.block(), ours.block(), peer.block());
            pairs.push(((before + after) / 2.0, f64::midpoint(a, b)));
        }
        self.ratios
            .extend(pairs.iter().map(|(peer, ours)| peer / ours));
        let lower = |known: Option<f64>, times: Vec<f64>| {
            let median = quantile(times, 0.5);
            Some(known.map_or(median, |known| known.min(median)))
        };
        let (peers, ours) = pairs.into_iter().unzip();
        self.peer = lower(self.peer, peers);
        self.ours = lower(self.ours, ours);
    }

    /// The quantile of the ratios.
    pub(crate) fn ratio(&self, at: f64) -> f64 {
        quantile(self.ratios.clone(), at)
    }
}

/// A side with the number of requests that a block of it has.
struct Timed {
    side: Side,
    requests: usize,
}

impl Timed {
    fn new(mut side: Side) -> Self {
        let mut requests = 8;
        loop {
            let took = side.time(requests);
            if took >= BLOCK || requests >= 1 << 16 {
                break;
            }
            requests *= 2;
        }
        Self { side, requests }
    }

    /// Nanoseconds per request.
    fn block(&mut self) -> f64 {
        self.side.time(self.requests).as_nanos() as f64 / self.requests as f64
    }
}

fn quantile(mut values: Vec<f64>, at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() - 1) as f64 * at;
    values[index.round() as usize]
}

use std::{fmt, sync::OnceLock, time::Duration};

use metrics::Histogram;

use crate::Outcome;

/// One histogram for each outcome, registered at the first request, so that none is looked up later.
#[derive(Default)]
pub(crate) struct Measure(OnceLock<[Histogram; Outcome::ALL.len()]>);

impl Measure {
    pub(crate) fn record(&self, outcome: Outcome, latency: Duration) {
        let histograms = self.0.get_or_init(|| {
            Outcome::ALL.map(|outcome| {
                metrics::histogram!(
                    "bartizan_request_duration_seconds", "outcome" => outcome.name()
                )
            })
        });
        if let Some(histogram) = histograms.get(outcome as usize) {
            histogram.record(latency);
        }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure").finish_non_exhaustive()
    }
}

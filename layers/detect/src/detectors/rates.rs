use bartizan_audit::{Adding, Record};

use super::Detectors;
use crate::{
    Detector,
    bound::millis,
    rate::{Rate, RateBound},
    telling::{Measured, Telling},
};

impl Detectors {
    /// Whoever guesses from many networks is told by how many guesses there are in all.
    pub(super) fn look_at_all(&mut self, record: Option<&Record<'_>>, adding: &mut Adding<'_>) {
        let mut telling = Telling {
            record,
            adding,
            closings: &mut self.closings,
            now: self.time.now(),
        };
        let about = || "all that is refused".to_owned();
        let what = (Detector::RefusalSurge, 0);
        look_at_rate(
            &mut self.surge,
            &self.settings.surge,
            what,
            &mut telling,
            about,
        );
    }
}

/// Counts one more, and tells if that is unlike the history.
pub(super) fn look_at_rate(
    rate: &mut Rate,
    bound: &RateBound,
    (detector, subject): (Detector, u64),
    telling: &mut Telling<'_, '_>,
    about: impl FnOnce() -> String,
) {
    let window = millis(bound.window);
    let value = rate.add(telling.now, window, bound);
    let Some(least) = rate.limit(bound) else {
        return;
    };
    let (mean, windows) = (rate.mean, rate.windows);
    let measured = Measured {
        detector,
        subject,
        value,
        least,
        window,
        baseline: || format!(", {mean:.1} in the mean of {windows} windows"),
        about,
    };
    telling.measure(&mut rate.span, measured);
}

use bartizan_audit::{Adding, Anomaly, Record};

use crate::{Bound, Detector, closings::Closings, span::Span};

/// What a detector found, on its way into the log.
pub(crate) struct Telling<'t, 'q> {
    pub(crate) record: Option<&'t Record<'t>>,
    pub(crate) adding: &'t mut Adding<'q>,
    pub(crate) closings: &'t mut Closings,
    pub(crate) now: u64,
}

/// How much of something there is about whom, and how much is usual.
pub(crate) struct Measured<B, A> {
    pub(crate) detector: Detector,
    pub(crate) subject: u64,
    pub(crate) value: u32,
    pub(crate) least: u32,
    pub(crate) window: u64,
    pub(crate) baseline: B,
    pub(crate) about: A,
}

impl<A> Measured<fn() -> String, A> {
    /// What a bound alone says is usual.
    pub(crate) fn within(
        bound: Bound,
        (detector, subject): (Detector, u64),
        value: u32,
        about: A,
    ) -> Self {
        Self {
            detector,
            subject,
            value,
            least: bound.count,
            window: bound.millis(),
            baseline: String::new,
            about,
        }
    }
}

impl Telling<'_, '_> {
    /// Tells what has reached its bound: once, again whenever it has doubled, and when the window ends how much it came to.
    pub(crate) fn measure<B, A>(&mut self, span: &mut Span, measured: Measured<B, A>)
    where
        B: FnOnce() -> String,
        A: FnOnce() -> String,
    {
        let Measured {
            detector,
            subject,
            value,
            least,
            window,
            ..
        } = measured;
        let place = (span.end(window), detector, subject);
        if span.is_told() {
            self.closings.update(place, value);
        }
        if !span.is_news(value, least) {
            return;
        }
        let baseline = format!(
            "{least} within {} s{}",
            window / 1000,
            (measured.baseline)()
        );
        let about = (measured.about)();
        if self.tell(detector, &value.to_string(), &baseline, &about) {
            span.tell(value);
            self.closings.told(place, value, &baseline, &about);
        }
    }

    /// Tells it now; `false` if there is no room behind this record.
    pub(crate) fn tell(
        &mut self,
        detector: Detector,
        value: &str,
        baseline: &str,
        about: &str,
    ) -> bool {
        let anomaly = Anomaly::new(detector.name(), detector.feature(), detector.severity())
            .value(value)
            .baseline(baseline)
            .about(about);
        let at = std::time::Duration::from_millis(self.now);
        self.adding.anomaly(at, self.record, &anomaly)
    }
}

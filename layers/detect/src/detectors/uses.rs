use bartizan_audit::{Adding, Record};

use super::{Detectors, shown};
use crate::{
    Detector,
    credential::Used,
    network::Network,
    telling::{Measured, Telling},
};

impl Detectors {
    pub(super) fn look_at_use(
        &mut self,
        credential: u64,
        network: Network,
        record: Option<&Record<'_>>,
        adding: &mut Adding<'_>,
    ) {
        if !self.settings.is_on(Detector::TwoNetworks) {
            return;
        }
        let now = self.time.now();
        let bound = self.settings.two_networks;
        let window = bound.millis();
        let weight = |used: &Used| used.weight(now, window);
        let Some(used) = self.used.of(credential, now, weight) else {
            return;
        };
        let value = used.use_in(network, now, window);
        used.span.rolls(now, window);
        let others: Vec<_> = match used.span.is_news(value, bound.count) {
            true => used
                .others(network, now, window)
                .map(|n| n.to_string())
                .collect(),
            false => Vec::new(),
        };
        let mut telling = Telling {
            record,
            adding,
            closings: &mut self.closings,
            now,
        };
        let measured = Measured {
            detector: Detector::TwoNetworks,
            subject: credential,
            value,
            least: bound.count,
            window,
            baseline: || format!("; before {}, now {network}", others.join(" ")),
            about: || {
                let id = record.and_then(|record| record.metadata.credential_id);
                let id = id.map(shown).unwrap_or_default();
                format!("credential {id}")
            },
        };
        telling.measure(&mut used.span, measured);
    }
}

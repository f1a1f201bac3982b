use std::time::Duration;

use bartizan_audit::{Adding, Anomaly, Record};

use super::{Detectors, shortened, shown};
use crate::{Detector, seen::decoy};

impl Detectors {
    /// A touch is told at once, and each for itself.
    pub(super) fn look_for_honey(&self, record: &Record<'_>, adding: &mut Adding<'_>) {
        if !self.settings.is_on(Detector::Honey) {
            return;
        }
        let named = record.tool_name.filter(|tool| {
            let honey = &self.settings.honey_tools;
            !honey.is_empty() && honey.contains(tool.as_str())
        });
        let value = match (decoy(record), named) {
            (Some(decoy), _) => shortened(decoy),
            (None, Some(tool)) => format!("tool `{}`", shown(tool)),
            (None, None) => return,
        };
        let about = match (record.user_id, record.ip_address) {
            (Some(user), _) => format!("user {}", shown(user)),
            (None, Some(address)) => format!("address {address}"),
            (None, None) => "somebody unknown".to_owned(),
        };
        let honey = Detector::Honey;
        let anomaly = Anomaly::new(honey.name(), honey.feature(), honey.severity())
            .value(&value)
            .baseline("nobody has a reason to")
            .about(&about);
        adding.anomaly(
            Duration::from_millis(self.time.now()),
            Some(record),
            &anomaly,
        );
    }
}

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bartizan_audit::Severity;

use crate::Alert;

/// Alerts in the order in which they came, and how many there are of each rule and severity.
#[derive(Default)]
pub(super) struct Waiting {
    alerts: VecDeque<Arc<Alert>>,
    counts: BTreeMap<(Severity, Arc<str>), usize>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.alerts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    pub(super) fn push(&mut self, alert: &Arc<Alert>) {
        self.alerts.push_back(Arc::clone(alert));
        *self.counts.entry(sort_of(alert)).or_default() += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Arc<Alert>> {
        self.remove(0)
    }

    /// Puts an alert in the place of one that matters less: the last one of the least severe, or among equals of the
    /// rule that has most of them, if that has two more.
    pub(super) fn give_way(&mut self, alert: &Arc<Alert>) {
        let Some((least, _)) = self.counts.keys().next() else {
            return;
        };
        let least = *least;
        let place = if least < alert.severity {
            self.last(|it| it.severity == least)
        } else if least == alert.severity {
            let of_least = self.counts.iter().filter(|((it, _), _)| *it == least);
            let Some(((_, rule), most)) = of_least.max_by_key(|(_, count)| **count) else {
                return;
            };
            let own = self.counts.get(&sort_of(alert)).copied();
            if *most <= own.unwrap_or_default() + 1 {
                return;
            }
            self.last(|it| it.severity == least && it.rule == *rule)
        } else {
            None
        };
        if let Some(place) = place {
            self.remove(place);
            self.push(alert);
        }
    }

    fn last(&self, is_it: impl Fn(&Alert) -> bool) -> Option<usize> {
        self.alerts.iter().rposition(|alert| is_it(alert))
    }

    fn remove(&mut self, place: usize) -> Option<Arc<Alert>> {
        let alert = self.alerts.remove(place)?;
        let sort = sort_of(&alert);
        if let Some(count) = self.counts.get_mut(&sort) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&sort);
            }
        }
        Some(alert)
    }
}

fn sort_of(alert: &Alert) -> (Severity, Arc<str>) {
    (alert.severity, Arc::clone(&alert.rule))
}

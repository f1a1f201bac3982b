use std::{
    error::Error,
    fmt,
    hash::RandomState,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bartizan_audit::{Adding, Alert as Added, Record, Watcher};
use bartizan_core::{Clock, Event, Events, Severity, SystemClock};

use crate::{
    Alert, AlertsConfigError, Outbox, Rules,
    alert::RecordRef,
    groups::{Groups, Seen, Sum},
    outbox::{Desk, Pushed, later, report},
    rule::{Rule, group_of, key_of, write_group},
};

/// Raises alerts: looks at every record on the thread that writes it, and puts what its rules say into the outboxes.
///
/// Each alert is a record of type `alert` in the log as well. Such records, and events of this crate, raise none.
///
/// When it is dropped, which its queue does at its end, what waits in the outboxes has five more seconds, for which
/// nobody waits: [`Deliveries::flush`] does.
pub struct Alerts {
    rules: Vec<(Rule, Groups)>,
    secret: RandomState,
    desks: Vec<Arc<Desk>>,
    clock: Arc<dyn Clock>,
    events: Events,
}

/// Builds [`Alerts`].
#[derive(Debug)]
#[must_use = "nothing is watched until it is built"]
pub struct AlertsBuilder {
    rules: Rules,
    outboxes: Vec<Outbox>,
    clock: Arc<dyn Clock>,
    events: Events,
}

/// What is on its way to the receivers. Clones are the same.
#[derive(Clone)]
pub struct Deliveries(Vec<Arc<Desk>>);

/// How long alerts are delivered when no more come.
const PARTING: Duration = Duration::from_secs(5);

impl Alerts {
    /// By these rules.
    pub fn by(rules: Rules) -> AlertsBuilder {
        AlertsBuilder {
            rules,
            outboxes: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            events: Events::default(),
        }
    }

    /// A handle to wait for what is on its way.
    pub fn deliveries(&self) -> Deliveries {
        Deliveries(self.desks.clone())
    }

    fn look(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        if is_own(record) {
            return;
        }
        // Asked once, and only if there is something to count.
        let mut now = None;
        for place in 0..self.rules.len() {
            let Some((rule, groups)) = self.rules.get_mut(place) else {
                continue;
            };
            if !rule.when.fits(record) {
                continue;
            }
            let now = *now.get_or_insert_with(|| self.clock.monotonic());
            let key = key_of(&rule.by, record, &self.secret);
            let seen = Seen {
                now,
                severity: rule.severity.unwrap_or(record.severity),
                record: RecordRef::of(record),
            };
            if let Some(sum) = groups.count(key, || group_of(&rule.by, record), seen) {
                let alert = Alert::new(&rule.name, sum, Some(record));
                self.raise(alert, Some(record), adding);
            }
        }
    }

    /// Tells what came while there was quiet, where that has ended.
    fn tell_what_ended(&mut self, adding: &mut Adding<'_>) {
        if self.rules.iter().all(|(_, groups)| groups.due().is_none()) {
            return;
        }
        let now = self.clock.monotonic();
        self.tell(adding, |groups| groups.next_ended(now));
    }

    fn tell(&mut self, adding: &mut Adding<'_>, next: impl Fn(&mut Groups) -> Option<Sum>) {
        for place in 0..self.rules.len() {
            while let Some((rule, groups)) = self.rules.get_mut(place)
                && let Some(sum) = next(groups)
            {
                let alert = Alert::new(&rule.name, sum, None);
                self.raise(alert, None, adding);
            }
        }
    }

    fn raise(&self, alert: Alert, record: Option<&Record<'_>>, adding: &mut Adding<'_>) {
        let mut about = String::new();
        write_group(&mut about, &alert.group, alert.is_other);
        let added = Added::new(&alert.rule, alert.severity)
            .count(alert.count)
            .about(&about)
            .detail(&alert.text);
        // An alert that finds no room in the log is delivered all the same.
        adding.alert(self.clock.wall(), record, &added);
        let alert = Arc::new(alert);
        for desk in &self.desks {
            if desk.push(&alert) == (Pushed::Dropped { is_first: true }) {
                self.say_that_it_is_full(desk);
            }
        }
    }

    /// On a thread of its own: this one is that of the queue, for which a recorded event might wait.
    fn say_that_it_is_full(&self, desk: &Desk) {
        let detail = format!(
            "there is no room for alerts to `{}`: they are dropped",
            desk.name()
        );
        let event = Event::new(LAYER, Severity::Error, "alerts_dropped", detail);
        let events = self.events.clone();
        let say = move || report(&events, &event);
        // Without a thread the next delivery tells of it.
        let _ = thread::Builder::new().spawn(say);
    }
}

/// The name under which this crate reports.
pub(crate) const LAYER: &str = "alerts";

/// An alert, whoever raised it, or an event of this crate.
fn is_own(record: &Record<'_>) -> bool {
    let is_reported = record.event_type == "system_event" && record.metadata.layer == Some(LAYER);
    record.event_type == "alert" || is_reported
}

impl Watcher for Alerts {
    fn see(&mut self, record: &Record<'_>, adding: &mut Adding<'_>) {
        self.tell_what_ended(adding);
        self.look(record, adding);
    }

    fn due(&self) -> Option<Instant> {
        let due = self.rules.iter().filter_map(|(_, groups)| groups.due());
        let left = due.min()?.saturating_sub(self.clock.monotonic());
        Some(Instant::now() + left)
    }

    fn wake(&mut self, adding: &mut Adding<'_>) {
        self.tell_what_ended(adding);
    }

    fn end(&mut self, adding: &mut Adding<'_>) {
        self.tell(adding, Groups::next_untold);
    }
}

impl Drop for Alerts {
    fn drop(&mut self) {
        let until = Instant::now() + PARTING;
        for desk in &self.desks {
            desk.close(until);
        }
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.rules.iter().map(|(rule, _)| &*rule.name);
        let receivers = self.desks.iter().map(|desk| desk.name());
        f.debug_struct("Alerts")
            .field("rules", &rules.collect::<Vec<_>>())
            .field("receivers", &receivers.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl AlertsBuilder {
    /// Brings the alerts to one more receiver.
    pub fn send_to(mut self, outbox: Outbox) -> Self {
        self.outboxes.push(outbox);
        self
    }

    /// Reads the time from another clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where it is reported that a receiver fails, or has no room, and that it works again.
    pub fn events(mut self, events: Events) -> Self {
        self.events = events;
        self
    }

    /// Begins to deliver.
    ///
    /// # Errors
    ///
    /// If there is no rule, two receivers have one name, or the system has no thread left.
    pub fn build(self) -> Result<Alerts, AlertsConfigError> {
        let rules = self.rules.into_rules();
        if rules.is_empty() {
            return Err(AlertsConfigError::new("rules", "", "are none"));
        }
        let names = || self.outboxes.iter().map(Outbox::name);
        if let Some(twice) = names().find(|one| names().filter(|name| name == one).count() > 1) {
            return Err(AlertsConfigError::new("receiver", twice, "is there twice"));
        }
        let watched = rules.into_iter().map(|rule| {
            let groups = Groups::of(&rule);
            (rule, groups)
        });
        let mut alerts = Alerts {
            rules: watched.collect(),
            secret: RandomState::new(),
            desks: Vec::new(),
            clock: self.clock,
            events: self.events,
        };
        for outbox in self.outboxes {
            // Those before it are closed if this one fails.
            let desk = outbox.open(alerts.events.clone())?;
            alerts.desks.push(desk);
        }
        Ok(alerts)
    }
}

impl Deliveries {
    /// Waits until every receiver took what waits for it. Blocks the thread.
    ///
    /// For the end of `main`, after [`AuditLayer::flush`](bartizan_audit::AuditLayer::flush), which lets the last records be
    /// looked at.
    ///
    /// # Errors
    ///
    /// If it takes longer than `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), NotDelivered> {
        let until = later(patience);
        let waiting = self.0.iter().map(|desk| desk.flush(until)).sum();
        match waiting {
            0 => Ok(()),
            waiting => Err(NotDelivered { waiting }),
        }
    }

    /// How many alerts the receivers did not get since the beginning, all together: there was no room for them, or they
    /// were given up.
    pub fn missed(&self) -> u64 {
        self.0.iter().map(|desk| desk.missed_in_all()).sum()
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}

/// Alerts were still on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotDelivered {
    waiting: usize,
}

impl NotDelivered {
    /// How many.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} alerts were not delivered in time", self.waiting)
    }
}

impl Error for NotDelivered {}

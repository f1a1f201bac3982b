//! What stands between the thread that raises alerts and whoever receives them.

mod desk;
mod waiting;
mod worker;

use std::{fmt, sync::Arc, thread};

use bartizan_audit::Severity;
use bartizan_core::Events;

pub(crate) use desk::{Desk, Pushed, later};
use worker::Worker;
pub(crate) use worker::report;

use crate::{AlertsConfigError, Receiver};

/// A receiver, and a bounded queue before it that a thread of its own empties.
///
/// When it is full, a new alert takes the place of the last one among the least severe ones that wait, if it is graver
/// than that. Among equals it takes the last place of the rule that has most of them, if its own has two less; otherwise it
/// is dropped itself. So a flood of lesser alerts keeps none of the graver ones away, one of equals by one rule none of
/// other rules, and those are kept that tell how it began. What is dropped is counted, told with the next delivery, and by an event.
#[derive(Debug)]
#[must_use = "an outbox does nothing until alerts are brought to it"]
pub struct Outbox {
    name: Box<str>,
    capacity: usize,
    at_least: Severity,
    receiver: Hidden,
}

struct Hidden(Box<dyn Receiver>);

impl Outbox {
    /// Alerts that wait, unless [`capacity`](Self::capacity) says otherwise. Each takes 4 KiB at most.
    pub const DEFAULT_CAPACITY: usize = 256;

    /// For this receiver; events name it so.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 64 bytes, or has anything but visible ASCII.
    pub fn to(name: &str, receiver: impl Receiver) -> Result<Self, AlertsConfigError> {
        let is_plain = name.bytes().all(|b| b.is_ascii_graphic());
        if !(1..=64).contains(&name.len()) || !is_plain {
            let problem = "is not 1 to 64 characters of visible ASCII";
            return Err(AlertsConfigError::new("receiver", name, problem));
        }
        Ok(Self {
            name: name.into(),
            capacity: Self::DEFAULT_CAPACITY,
            at_least: Severity::Info,
            receiver: Hidden(Box::new(receiver)),
        })
    }

    /// How many alerts wait at most, besides the one that is on its way.
    ///
    /// # Errors
    ///
    /// If it is not from 1 to 65536.
    pub fn capacity(mut self, alerts: usize) -> Result<Self, AlertsConfigError> {
        if !(1..=1 << 16).contains(&alerts) {
            let problem = "is not from 1 to 65536";
            return Err(AlertsConfigError::new(
                "capacity",
                alerts.to_string(),
                problem,
            ));
        }
        self.capacity = alerts;
        Ok(self)
    }

    /// Only alerts that matter so much or more.
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.at_least = severity;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Begins to deliver.
    pub(crate) fn open(self, events: Events) -> Result<Arc<Desk>, AlertsConfigError> {
        let desk = Arc::new(Desk::new(self.name.clone(), self.capacity, self.at_least));
        let worker = Worker::new(Arc::clone(&desk), self.receiver.0, events);
        let spawned = thread::Builder::new()
            .name("bartizan-alerts".to_owned())
            .spawn(move || worker.run());
        match spawned {
            Ok(_) => Ok(desk),
            Err(_) => Err(AlertsConfigError::new(
                "receiver",
                self.name,
                "has no thread: the system has none left",
            )),
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

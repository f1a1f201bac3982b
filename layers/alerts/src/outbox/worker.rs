use std::{mem, sync::Arc};

use bartizan_core::{Event, Events, Severity, guarded, printable};

use super::Desk;
use crate::{Delivery, Receiver, Undelivered, alerts::LAYER};

/// The thread that owns a receiver.
pub(super) struct Worker {
    desk: Arc<Desk>,
    receiver: Box<dyn Receiver>,
    events: Events,
    is_failing: bool,
}

impl Worker {
    pub(super) fn new(desk: Arc<Desk>, receiver: Box<dyn Receiver>, events: Events) -> Self {
        Self {
            desk,
            receiver,
            events,
            is_failing: false,
        }
    }

    pub(super) fn run(mut self) {
        let desk = Arc::clone(&self.desk);
        let _over = Over(&desk);
        while let Some((alert, missed)) = desk.next() {
            let delivery = Delivery {
                alert: &alert,
                missed,
                desk: &desk,
            };
            let received = guarded(|| self.receiver.receive(&delivery));
            let received = received.unwrap_or_else(|| Err(Undelivered::new("it panicked")));
            // Who waits for the delivery then knows what was said of it.
            self.report(&received, missed);
            desk.done(received.is_ok().then_some(missed));
        }
    }

    /// Says when it begins to fail, and when it no longer does.
    fn report(&mut self, received: &Result<(), Undelivered>, missed: u64) {
        let name = self.desk.name();
        let event = match received {
            Err(why) if !mem::replace(&mut self.is_failing, true) => {
                let why = printable(&why.to_string(), 300).to_string();
                let detail = format!("`{name}` did not take an alert: {why}");
                Event::new(LAYER, Severity::Error, "receiver_failed", detail)
            }
            Ok(()) if mem::take(&mut self.is_failing) || missed > 0 => {
                let detail = format!("`{name}` takes alerts again; it missed {missed}");
                Event::new(LAYER, Severity::Warning, "receiver_recovered", detail)
            }
            _ => return,
        };
        report(&self.events, &event);
    }
}

/// Nobody is to wait for a thread that ended.
struct Over<'a>(&'a Desk);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

pub(crate) fn report(events: &Events, event: &Event) {
    guarded(|| events.emit(event));
}

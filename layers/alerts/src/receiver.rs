use std::{error::Error, fmt, time::Duration};

use crate::{Alert, outbox::Desk};

/// Whom alerts are brought to.
///
/// Each receiver has a thread of its own, and a bounded [`Outbox`](crate::Outbox): it may block, which delays its own
/// alerts and nothing else. It gets one at a time. A panic costs it that alert.
///
/// ```
/// use std::sync::mpsc::Sender;
/// use bartizan_alerts::{Delivery, Receiver, Undelivered};
///
/// /// Hands the texts of alerts on.
/// struct Told(Sender<String>);
///
/// impl Receiver for Told {
///     fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
///         let text = delivery.alert().text.clone();
///         self.0.send(text).map_err(|_| Undelivered::new("nobody listens"))
///     }
/// }
/// ```
pub trait Receiver: Send + 'static {
    /// Brings an alert to whoever it is.
    ///
    /// # Errors
    ///
    /// If it is given up. It is counted then, and told with the next one.
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered>;
}

impl<R: Receiver + ?Sized> Receiver for Box<R> {
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
        (**self).receive(delivery)
    }
}

/// An alert on its way.
pub struct Delivery<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) missed: u64,
    pub(crate) desk: &'a Desk,
}

impl Delivery<'_> {
    /// The alert.
    pub fn alert(&self) -> &Alert {
        self.alert
    }

    /// How many alerts the receiver did not get since the last one that it got: there was no room for them, or they were
    /// given up.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Alert and number as one JSON object, which [`JSON_SCHEMA`](crate::JSON_SCHEMA) describes.
    pub fn to_json(&self) -> String {
        self.alert.to_json(self.missed)
    }

    /// Waits before another attempt; `false` if there is no time for one, because the process ends.
    pub fn pause(&self, pause: Duration) -> bool {
        self.desk.pause(pause)
    }
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("alert", self.alert)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

/// Why a receiver gave an alert up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered(String);

impl Undelivered {
    /// For operators, who read it in events; never a credential.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Undelivered {}

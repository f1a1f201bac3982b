use bartizan_audit::Severity;

use crate::{Delivery, Receiver, Undelivered};

/// Emits each alert as an event of `tracing` under `bartizan::alerts`: `ERROR` of severity `error` and `critical`,
/// `WARN` of `warning`, else `INFO`.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingReceiver;

impl TracingReceiver {
    /// The target of its events.
    pub const TARGET: &'static str = "bartizan::alerts";

    /// To whatever subscriber there is.
    pub fn new() -> Self {
        Self
    }
}

macro_rules! emit {
    ($level:ident, $delivery:ident) => {
        tracing::$level!(
            target: TracingReceiver::TARGET,
            alert = %$delivery.alert().id,
            rule = &*$delivery.alert().rule,
            severity = $delivery.alert().severity.name(),
            kind = $delivery.alert().kind.name(),
            count = $delivery.alert().count,
            missed = $delivery.missed(),
            "{}",
            $delivery.alert().text,
        )
    };
}

impl Receiver for TracingReceiver {
    fn receive(&mut self, delivery: &Delivery<'_>) -> Result<(), Undelivered> {
        match delivery.alert().severity {
            Severity::Critical | Severity::Error => emit!(error, delivery),
            Severity::Warning => emit!(warn, delivery),
            _ => emit!(info, delivery),
        }
        Ok(())
    }
}

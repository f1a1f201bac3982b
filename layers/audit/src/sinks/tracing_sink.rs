use std::fmt;

use tracing::{
    Level,
    field::{DisplayValue, display},
};

use crate::{AuditSink, Record, SCHEMA};

/// The target of audit events, whatever the record.
pub(super) const TARGET: &str = "bartizan::audit";

/// Emits each record as one `tracing` event at INFO under the target `bartizan::audit`.
///
/// Its fields are the record's members. `user_role`, `findings` and `metadata` are JSON text, since
/// events have neither lists nor objects; what is absent has no field. Text is visible ASCII, with
/// other characters escaped as `\u{..}`.
///
/// **No subscriber, no service:** while no subscriber takes INFO events of that target, the sink has no
/// room, and requests are refused rather than lost. A global filter such as `RUST_LOG=warn` counts as
/// such; `RUST_LOG=warn,bartizan::audit=info` lets records through. Whether the subscriber then writes
/// the event is not known here: [`JsonLines`](crate::JsonLines) is the sink that knows.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingSink;

impl TracingSink {
    /// The sink.
    pub fn new() -> Self {
        Self
    }
}

impl AuditSink for TracingSink {
    fn reserve(&self) -> bool {
        let is_wanted = || tracing::enabled!(target: TARGET, Level::INFO);
        #[cfg(feature = "tracing-subscriber")]
        return super::subscriber::has_room(is_wanted);
        #[cfg(not(feature = "tracing-subscriber"))]
        is_wanted()
    }

    fn release(&self) {}

    fn write(&self, record: &Record<'_>) {
        #[cfg(feature = "tracing-subscriber")]
        super::subscriber::hand_over(record, || emit(record));
        #[cfg(not(feature = "tracing-subscriber"))]
        emit(record);
    }
}

fn emit(record: &Record<'_>) {
    tracing::event!(
        target: TARGET,
        Level::INFO,
        schema = SCHEMA,
        timestamp = json(|out| record.write_timestamp(out)),
        event_type = record.event_type,
        user_id = record.user_id.map(display),
        user_role = record
            .user_role
            .is_known()
            .then(|| json(|out| record.user_role.write_json(out))),
        tool_name = record.tool_name.map(display),
        resource_id = record.resource_id.map(display),
        action = record.action.map(display),
        result = record.result,
        ip_address = record.ip_address.map(display),
        user_agent = record.user_agent.map(display),
        correlation_id = record.correlation_id.map(display),
        outcome = record.outcome.map(|outcome| outcome.name()),
        status = record.status.map(|status| status.as_u16()),
        latency_us = record.latency_us(),
        findings = json(|out| record.write_findings(out)),
        findings_dropped = record.findings_dropped,
        metadata = json(|out| record.metadata.write_json(out)),
    );
}

fn json<F: Fn(&mut Vec<u8>)>(write: F) -> DisplayValue<Shown<F>> {
    display(Shown(write))
}

/// Shows what a function writes, when a subscriber asks.
struct Shown<F>(F);

impl<F: Fn(&mut Vec<u8>)> fmt::Display for Shown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        (self.0)(&mut out);
        f.write_str(std::str::from_utf8(&out).unwrap_or_default())
    }
}

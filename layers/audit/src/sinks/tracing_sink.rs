use tracing::Level;

use crate::{AuditSink, Record, SCHEMA, Text};

/// The target of audit events, whatever the record.
pub(super) const TARGET: &str = "bartizan::audit";

/// Emits each record as one `tracing` event at INFO under the target `bartizan::audit`.
///
/// Its fields are the record's members. `user_role`, `findings` and `metadata` are JSON text, since
/// events have neither lists nor objects; what is absent has no field. Text is visible ASCII, with
/// other characters escaped as `\u{..}`, and is recorded as text, which `fmt` writes quoted.
///
/// **No subscriber, no service:** while no subscriber takes INFO events of that target, the sink has no
/// room, and requests are refused rather than lost. A global filter such as `RUST_LOG=warn` counts as
/// such; `RUST_LOG=warn,bartizan::audit=info` lets records through. Whether the subscriber then writes
/// the event is not known here: [`JsonLines`](crate::JsonLines) is the sink that knows, and the only one
/// that reserves room for requests that run at once.
///
/// **Asking is not free of effect:** where filters per layer disagree about INFO events of that target,
/// `tracing-subscriber` lets the question swallow the thread's next event at the layers that said no
/// ([#2519](https://github.com/tokio-rs/tracing/issues/2519)). `JsonLines::into_layer` beside them, or any
/// layer whose `register_callsite` answers `Interest::sometimes`, prevents it.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TracingSink;

impl TracingSink {
    /// The sink.
    pub fn new() -> Self {
        Self
    }
}

fn is_wanted() -> bool {
    tracing::enabled!(target: TARGET, Level::INFO)
}

impl AuditSink for TracingSink {
    fn reserve(&self) -> bool {
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

    /// As the layers say that [`JsonLines::into_layer`](crate::JsonLines::into_layer) made; of others
    /// nothing is known.
    #[cfg(feature = "tracing-subscriber")]
    fn is_scarce(&self) -> bool {
        super::subscriber::is_scarce(is_wanted)
    }
}

fn emit(record: &Record<'_>) {
    let timestamp = json(|out| record.write_timestamp(out));
    let user_id = record.user_id.map(Text::to_visible);
    let user_role = record.user_role.is_known();
    let user_role = user_role.then(|| json(|out| record.user_role.write_json(out)));
    let tool_name = record.tool_name.map(Text::to_visible);
    let resource_id = record.resource_id.map(Text::to_visible);
    let action = record.action.map(Text::to_visible);
    let user_agent = record.user_agent.map(Text::to_visible);
    let correlation_id = record.correlation_id.map(Text::to_visible);
    let classes = json(|out| record.classes.write_json(out));
    let trace_id = record
        .trace
        .map(|trace| format!("{:032x}", trace.trace_id()));
    let findings = json(|out| record.write_findings(out));
    let metadata = json(|out| {
        let parent = record.trace.map(|trace| trace.parent_id());
        record.metadata.write_json(parent, out);
    });
    // Text is recorded as such, so that subscribers quote it: unquoted, a tool's name could look like
    // further fields.
    tracing::event!(
        target: TARGET,
        Level::INFO,
        schema = SCHEMA,
        event_id = display(record.event_id),
        timestamp = display(timestamp),
        event_type = record.event_type,
        severity = record.severity.name(),
        classes = classes.as_str(),
        user_id = user_id.as_deref(),
        user_role = user_role.as_deref(),
        tool_name = tool_name.as_deref(),
        resource_id = resource_id.as_deref(),
        action = action.as_deref(),
        result = record.result,
        ip_address = record.ip_address.map(display),
        user_agent = user_agent.as_deref(),
        correlation_id = correlation_id.as_deref(),
        outcome = record.outcome.map(|outcome| outcome.name()),
        status = record.status.map(|status| status.as_u16()),
        answer = record.answer.map(|answer| answer.name()),
        rpc_code = record.answer.and_then(|answer| answer.code()),
        latency_us = record.latency_us(),
        duration_us = record.duration_us(),
        request_bytes = record.request_bytes,
        response_bytes = record.response_bytes,
        trace_id = trace_id.map(display),
        findings = findings.as_str(),
        findings_dropped = record.findings_dropped,
        metadata = metadata.as_str(),
    );
}

fn json(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

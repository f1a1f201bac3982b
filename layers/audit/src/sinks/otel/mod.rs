mod attributes;
mod event_name;

use std::{
    fmt, io,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    InstrumentationScope, SpanId, TraceId,
    logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity as Number},
};

use crate::{Commit, Outlet, Record, Severity};

/// Emits each record as a log record of OpenTelemetry, through a provider that you have set up: an outlet behind a
/// [`Queue`](crate::Queue).
///
/// A record's members have the names of OpenTelemetry's semantic conventions (1.42, and those for MCP) where these
/// have one: `user.id`, `client.address`, `http.response.status_code`, `mcp.method.name`, `gen_ai.tool.name`, `error.type`. All
/// others stand under `bartizan.`, those of `metadata` as well. The event's name is `bartizan.audit.` and the `event_type`; the timestamp is the
/// request's arrival, and the trace its caller's, as is the span. Texts are shown in visible ASCII.
///
/// What it emits is what every other outlet gets: redacted and bounded. Levels and filters of the provider are not asked, so
/// that none loses a record.
///
/// **It is a copy, and not the log itself.** A provider tells nobody whether anything arrived: its batches are dropped when
/// their queue is full, or their receiver gone. No record is durable by it. Let it stand beside a file, or in a queue of its own
/// ([`AuditLayer::also`](crate::AuditLayer::also)) if its processor may block, as one without batches does.
/// [`AuditLayer::flush`](crate::AuditLayer::flush) brings the records to the provider, which has a flush of its own.
///
/// ```
/// use bartizan_audit::{AuditLayer, JsonLines, OtelLogs, Queue};
/// use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
///
/// // In production the exporter of `opentelemetry-otlp`.
/// let exporter = InMemoryLogExporter::default();
/// let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter).build();
/// let layer = AuditLayer::new(JsonLines::stdout()).also(Queue::to(OtelLogs::to(&provider)));
/// # drop(layer);
/// // At the end of `main`, when the layer is flushed.
/// provider.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OtelLogs<L> {
    logger: L,
}

/// The conventions that attributes are named by.
const CONVENTIONS: &str = "https://opentelemetry.io/schemas/1.42.0";

impl<L: Logger + Send + 'static> OtelLogs<L> {
    /// Emits to a logger of this provider, whose scope is `bartizan-audit`.
    pub fn to(provider: &impl LoggerProvider<Logger = L>) -> Self {
        let scope = InstrumentationScope::builder("bartizan-audit")
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(CONVENTIONS);
        Self {
            logger: provider.logger_with_scope(scope.build()),
        }
    }
}

impl<L: Logger + Send + 'static> Outlet for OtelLogs<L> {
    fn take(&mut self, record: &Record<'_>, line: &[u8]) {
        let mut log = self.logger.create_log_record();
        log.set_event_name(event_name::of(record.event_type));
        log.set_observed_timestamp(SystemTime::now());
        if let Some(arrived) = UNIX_EPOCH.checked_add(record.timestamp) {
            log.set_timestamp(arrived);
        }
        log.set_severity_number(number(record.severity));
        log.set_severity_text(record.severity.name());
        let body = format!("{} {}", record.event_type, record.result);
        log.set_body(AnyValue::from(body));
        if let Some(trace) = record.trace {
            let trace_id = TraceId::from_bytes(trace.trace_id().to_be_bytes());
            let span_id = SpanId::from_bytes(trace.parent_id().to_be_bytes());
            log.set_trace_context(trace_id, span_id, None);
        }
        log.add_attributes(attributes::of(record, line));
        self.logger.emit(log);
    }

    fn commit(&mut self, _: Commit) -> io::Result<()> {
        Ok(())
    }
}

/// As OpenTelemetry's data model for logs maps the severities of syslog.
fn number(severity: Severity) -> Number {
    match severity {
        Severity::Info => Number::Info,
        Severity::Notice => Number::Info2,
        Severity::Warning => Number::Warn,
        Severity::Error => Number::Error,
        Severity::Critical => Number::Error2,
    }
}

impl<L> fmt::Debug for OtelLogs<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelLogs").finish_non_exhaustive()
    }
}

//! Records as log records of OpenTelemetry.

#![allow(
    deprecated,
    reason = "the names of MCP and GenAI moved to conventions of their own, which no crate has yet"
)]

use std::{collections::BTreeMap, time::UNIX_EPOCH};

use bartizan_audit::{AuditLayer, Level, Levels, OtelLogs, Queue, Records};
use bartizan_core::{
    CallLayer, Denial, DenialKind, FakeClock, RequestBody, ResponseBody, SecurityContext, refuse,
};
use http::{HeaderValue, Request};
use opentelemetry::{
    InstrumentationScope,
    logs::{AnyValue, Severity},
};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_semantic_conventions::{SCHEMA_URL, attribute};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

use super::{common::*, json_lines::PATIENCE};

/// All names of the conventions that attributes may have; others are ours.
const NAMES: &[&str] = &[
    attribute::CLIENT_ADDRESS,
    attribute::ERROR_TYPE,
    attribute::GEN_AI_PROMPT_NAME,
    attribute::GEN_AI_TOOL_NAME,
    attribute::HTTP_REQUEST_BODY_SIZE,
    attribute::HTTP_REQUEST_METHOD,
    attribute::HTTP_REQUEST_METHOD_ORIGINAL,
    attribute::HTTP_RESPONSE_BODY_SIZE,
    attribute::HTTP_RESPONSE_STATUS_CODE,
    attribute::JSONRPC_REQUEST_ID,
    attribute::LOG_RECORD_UID,
    attribute::MCP_METHOD_NAME,
    attribute::MCP_PROTOCOL_VERSION,
    attribute::MCP_RESOURCE_URI,
    attribute::RPC_RESPONSE_STATUS_CODE,
    attribute::URL_PATH,
    attribute::USER_AGENT_ORIGINAL,
    attribute::USER_ID,
    attribute::USER_ROLES,
];

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Log {
    record: SdkLogRecord,
    scope: InstrumentationScope,
}

/// The log record of a request, and the record beside it.
async fn emitted(mut request: Request<Body>, denial: Option<DenialKind>) -> (Log, Value) {
    let context = SecurityContext::of(&mut request);
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    for (name, value) in [("user-agent", "client/1.0"), ("traceparent", TRACE)] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let exporter = InMemoryLogExporter::default();
    let provider = SdkLoggerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let records = Records::new();
    let layer = AuditLayer::new(Queue::to(OtelLogs::to(&provider)))
        .also(records.clone())
        .levels(Levels::new(Level::Arguments))
        .clock(FakeClock::at(NOW));
    let inner = service_fn(move |mut request: Request<RequestBody<Body>>| {
        let context = SecurityContext::of(&mut request);
        async move {
            Ok::<_, std::convert::Infallible>(match denial {
                Some(kind) => refuse!("guard", &context, Denial::new(kind, "why")),
                None => ok().map(ResponseBody::inner),
            })
        }
    });
    let service = layer.layer(CallLayer::new().layer(inner));
    service.oneshot(request).await.unwrap();
    layer.flush(PATIENCE).unwrap();
    let mut logs = exporter.get_emitted_logs().unwrap();
    assert_eq!(logs.len(), 1);
    let log = logs.remove(0);
    let (record, scope) = (log.record, log.instrumentation);
    (Log { record, scope }, only(&records))
}

fn attributes(log: &Log) -> BTreeMap<String, Value> {
    let all = log.record.attributes_iter();
    let shown: Vec<_> = all
        .map(|(key, value)| (key.to_string(), json_of(value)))
        .collect();
    let len = shown.len();
    let by_name = BTreeMap::from_iter(shown);
    assert_eq!(by_name.len(), len, "a name came twice");
    by_name
}

fn json_of(value: &AnyValue) -> Value {
    match value {
        AnyValue::Int(number) => json!(number),
        AnyValue::Double(number) => json!(number),
        AnyValue::String(text) => json!(text.as_str()),
        AnyValue::Boolean(value) => json!(value),
        AnyValue::ListAny(items) => items.iter().map(json_of).collect(),
        AnyValue::Map(members) => members
            .iter()
            .map(|(key, value)| (key.to_string(), json_of(value)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_has_the_names_of_the_semantic_conventions() {
    let (log, record) = emitted(as_ann(call_tool("delete_note")), None).await;
    assert_eq!(log.scope.name(), "bartizan-audit");
    assert_eq!(log.scope.schema_url(), Some(SCHEMA_URL));
    assert_eq!(log.record.event_name(), Some("bartizan.audit.tool_call"));
    assert_eq!(log.record.timestamp(), Some(UNIX_EPOCH + NOW));
    assert!(log.record.observed_timestamp().unwrap() > UNIX_EPOCH);
    assert_eq!(log.record.severity_number(), Some(Severity::Info));
    assert_eq!(log.record.severity_text(), Some("info"));
    assert_eq!(
        log.record.body(),
        Some(&AnyValue::from("tool_call success"))
    );
    let trace = log.record.trace_context().unwrap();
    assert_eq!(
        format!("{:032x}", trace.trace_id),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert_eq!(format!("{:016x}", trace.span_id), "b7ad6b7169203331");
    let shown = attributes(&log);
    for (name, value) in [
        (attribute::USER_ID, json!("ann")),
        (attribute::USER_ROLES, json!(["developer", "viewer"])),
        (attribute::CLIENT_ADDRESS, json!("192.0.2.7")),
        (attribute::USER_AGENT_ORIGINAL, json!("client/1.0")),
        (attribute::HTTP_RESPONSE_STATUS_CODE, json!(200)),
        (attribute::HTTP_REQUEST_METHOD, json!("POST")),
        (attribute::URL_PATH, json!("/mcp")),
        (attribute::MCP_METHOD_NAME, json!("tools/call")),
        (attribute::GEN_AI_TOOL_NAME, json!("delete_note")),
        (attribute::JSONRPC_REQUEST_ID, json!("7")),
        (attribute::LOG_RECORD_UID, record["event_id"].clone()),
        ("bartizan.outcome", json!("admitted")),
        ("bartizan.correlation_id", record["correlation_id"].clone()),
        ("bartizan.tenant", json!("acme")),
        ("bartizan.credential_id", json!("jti-1")),
    ] {
        assert_eq!(shown.get(name), Some(&value), "{name}");
    }
}

#[tokio::test]
async fn nothing_that_a_record_says_is_lost_and_no_name_is_made_up() {
    for denial in [
        None,
        Some(DenialKind::Forbidden),
        Some(DenialKind::CredentialsInvalid),
    ] {
        let (log, record) = emitted(as_ann(call_tool("delete_note")), denial).await;
        let shown = attributes(&log);
        for name in shown.keys() {
            assert!(
                name.starts_with("bartizan.") || NAMES.contains(&&**name),
                "`{name}`"
            );
        }
        let said = |members: &Value| {
            let members = members.as_object().unwrap().values();
            members.filter(|value| !value.is_null()).count()
        };
        // Of all members one holds the others; four and the parent are the log record's own.
        let own = usize::from(denial.is_some());
        let expected = said(&record) - 1 + said(&record["metadata"]) - 5 + own;
        assert_eq!(shown.len(), expected, "{shown:#?}\n{record:#}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_warning_that_says_why() {
    let (log, _) = emitted(
        as_ann(call_tool("delete_note")),
        Some(DenialKind::Forbidden),
    )
    .await;
    assert_eq!(log.record.severity_number(), Some(Severity::Warn));
    assert_eq!(
        log.record.event_name(),
        Some("bartizan.audit.authorization_denied")
    );
    let shown = attributes(&log);
    assert_eq!(shown[attribute::ERROR_TYPE], "forbidden");
    assert_eq!(shown["bartizan.denial"], "forbidden");
    assert_eq!(shown["bartizan.findings"][1]["layer"], "guard");
}

#[tokio::test]
async fn al_2_only_what_is_redacted_is_emitted_and_no_terminal_obeys_it() {
    let params = json!({
        "name": "send\u{1b}[31m",
        "arguments": { "password": "s3cr3t-4711", "to": "ann.miller@example.com" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let (log, record) = emitted(as_ann(rpc(&body.to_string())), None).await;
    let shown = format!("{:?}", log.record);
    assert!(
        !shown.contains("s3cr3t") && !shown.contains("miller"),
        "{shown}"
    );
    let shown = attributes(&log);
    assert_eq!(shown[attribute::GEN_AI_TOOL_NAME], "send\\u{1b}[31m");
    assert_eq!(shown["bartizan.arguments"], record["metadata"]["arguments"]);
    assert_eq!(shown["bartizan.masked"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_panicking_processor_costs_the_record_beside_it_nothing() {
    #[derive(Debug)]
    struct Broken;
    impl opentelemetry_sdk::logs::LogProcessor for Broken {
        fn emit(&self, _: &mut opentelemetry_sdk::logs::SdkLogRecord, _: &InstrumentationScope) {
            panic!("as told");
        }
        fn force_flush(&self) -> opentelemetry_sdk::error::OTelSdkResult {
            Ok(())
        }
    }
    let provider = SdkLoggerProvider::builder()
        .with_log_processor(Broken)
        .build();
    let written = super::json_lines::Shared::default();
    let lines = bartizan_audit::JsonLines::outlet(written.clone());
    let layer = AuditLayer::new(Queue::to((OtelLogs::to(&provider), lines)));
    for _ in 0..2 {
        layer
            .layer(Actor(Act::Answer(200)))
            .oneshot(empty())
            .await
            .unwrap();
    }
    layer.flush(PATIENCE).unwrap();
    assert_eq!(written.text().lines().count(), 2);
}

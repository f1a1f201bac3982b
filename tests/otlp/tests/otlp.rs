//! Records at a receiver of OTLP, over HTTP, as a collector of OpenTelemetry gets them.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use bartizan_audit::{AuditLayer, OtelLogs, Queue};
use http::{Request, Response};
use opentelemetry_otlp::{LogExporter, Protocol, WithExportConfig};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

type Received = Arc<Mutex<Vec<Value>>>;

/// A receiver, and where it is.
async fn receiver() -> (Received, String) {
    async fn take(State(received): State<Received>, Json(body): Json<Value>) -> Json<Value> {
        received.lock().unwrap().push(body);
        Json(json!({}))
    }
    let received = Received::default();
    let router = Router::new()
        .route("/v1/logs", post(take))
        .with_state(Arc::clone(&received));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (received, format!("http://{address}/v1/logs"))
}

#[tokio::test]
async fn records_reach_a_receiver_of_otlp_with_the_names_of_the_conventions() {
    let (received, endpoint) = receiver().await;
    let provider = tokio::task::spawn_blocking(move || {
        let exporter = LogExporter::builder().with_http();
        let exporter = exporter
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(endpoint);
        SdkLoggerProvider::builder()
            .with_batch_exporter(exporter.build().unwrap())
            .build()
    });
    let provider = provider.await.unwrap();
    let layer = AuditLayer::new(Queue::to(OtelLogs::to(&provider)));
    let service = layer.layer(service_fn(|_: Request<String>| async {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    for _ in 0..3 {
        let request = Request::post("/mcp?token=s3cret")
            .body(String::new())
            .unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    let flushed = tokio::task::spawn_blocking(move || {
        layer.flush(Duration::from_secs(10)).unwrap();
        provider.force_flush().unwrap();
    });
    flushed.await.unwrap();

    let received = received.lock().unwrap();
    let logs: Vec<_> = received
        .iter()
        .map(|body| &body["resourceLogs"][0]["scopeLogs"][0])
        .inspect(|logs| assert_eq!(logs["scope"]["name"], "bartizan-audit"))
        .flat_map(|logs| logs["logRecords"].as_array().unwrap())
        .collect();
    assert_eq!(logs.len(), 3);
    let numbers: Vec<_> = logs
        .iter()
        .map(|log| attribute(log, "bartizan.sequence"))
        .collect();
    assert_eq!(numbers, [json!("1"), json!("2"), json!("3")]);
    for log in logs {
        assert_eq!(log["severityNumber"], 9);
        assert_eq!(log["eventName"], "bartizan.audit.http_request");
        assert_eq!(attribute(log, "http.response.status_code"), "200");
        assert_eq!(attribute(log, "url.path"), "/mcp");
        assert!(!log.to_string().contains("s3cret"));
    }
}

/// An attribute's value, whatever its type.
fn attribute(log: &Value, name: &str) -> Value {
    let mut all = log["attributes"].as_array().unwrap().iter();
    let found = all.find(|attribute| attribute["key"] == name);
    let value = found.unwrap()["value"].as_object().unwrap().values().next();
    value.unwrap().clone()
}

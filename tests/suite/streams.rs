//! Event streams through the whole stack: frame by frame, and cancelled when the caller goes.

use std::time::Duration;

use bartizan_kit::{Revision, call_tool};
use http_body_util::BodyExt;
use reqwest::{Client, Response};
use serde_json::json;
use tokio::time::timeout;

use crate::server::{Mode, Server};

const SOON: Duration = Duration::from_secs(5);

async fn call(server: &Server, tool: &str) -> Response {
    let request = call_tool(Revision::V2025_11_25, tool, json!({}))
        .meta("progressToken", "p1")
        .bearer(server.token("ann").encode())
        .no_header("host")
        .build();
    let (parts, body) = request.into_parts();
    Client::new()
        .post(&server.url)
        .headers(parts.headers)
        .body(body.collect().await.unwrap().to_bytes())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn ph_4_the_first_event_arrives_before_the_tool_is_done() {
    let server = Server::start(Mode::Streams).await;
    let mut response = call(&server, "two_steps").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");

    timeout(SOON, server.probe.started.notified())
        .await
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("notifications/progress") {
        let chunk = timeout(SOON, response.chunk())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(!seen.contains("done"));

    server.probe.go_on.notify_one();
    while let Some(chunk) = timeout(SOON, response.chunk()).await.unwrap().unwrap() {
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(seen.contains("done"));
}

#[tokio::test]
async fn n_18_a_caller_that_goes_away_cancels_its_call() {
    let server = Server::start(Mode::Streams).await;
    let response = call(&server, "wait").await;
    timeout(SOON, server.probe.started.notified())
        .await
        .unwrap();
    drop(response);
    timeout(SOON, server.probe.cancelled.notified())
        .await
        .unwrap();
}

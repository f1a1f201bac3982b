//! Event streams through the whole stack: frame by frame, and cancelled when the caller goes.

use std::time::{Duration, Instant};

use bartizan_kit::{McpRequest, Revision, call_tool, get_stream, initialize};
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

/// How long after its expiry a token is accepted, by default.
const LEEWAY: i64 = 60;

/// Asks with a token that is good for so many seconds more.
async fn ending(server: &Server, request: McpRequest, seconds: i64) -> Response {
    let token = server.token("ann").expires_in(seconds - LEEWAY).encode();
    let (parts, body) = request.bearer(token).no_header("host").build().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Client::new()
        .request(parts.method, &server.url)
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn tv_20_a_stream_that_a_caller_listens_on_ends_with_the_token() {
    let server = Server::start(Mode::Sessions).await;
    let hello = ending(&server, initialize(Revision::V2025_11_25), 300).await;
    let session = hello.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let listen = get_stream(Revision::V2025_11_25).header("mcp-session-id", &session);
    let begun = Instant::now();
    let mut stream = ending(&server, listen, 3).await;
    assert_eq!(stream.status(), 200);
    // The server keeps it alive ten times a second, so that its end is seen soon.
    while timeout(SOON, stream.chunk())
        .await
        .unwrap()
        .unwrap()
        .is_some()
    {}
    let lasted = begun.elapsed();
    assert!((1500..4500).contains(&lasted.as_millis()), "{lasted:?}");
}

#[tokio::test]
async fn tv_20_a_call_that_runs_when_the_token_ends_may_finish() {
    let server = Server::start(Mode::Streams).await;
    let steps = call_tool(Revision::V2025_11_25, "two_steps", json!({}));
    let mut stream = ending(&server, steps, 1).await;
    timeout(SOON, server.probe.started.notified())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.probe.go_on.notify_one();
    let mut seen = String::new();
    while let Some(chunk) = timeout(SOON, stream.chunk()).await.unwrap().unwrap() {
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(seen.contains("done"), "{seen}");
}

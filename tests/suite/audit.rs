//! What is recorded of each request, at the real server.

use bartizan_kit::{McpRequest, Revision, call_tool, initialize, post};
use serde_json::{Value, json};

use crate::{
    answers::send,
    server::{Mode, Server},
};

fn tool(name: &str) -> McpRequest {
    call_tool(
        Revision::V2026_07_28,
        name,
        json!({"note": "s3cret-argument"}),
    )
}

/// The layers that left a finding, in order.
fn layers(record: &Value) -> Vec<&str> {
    let findings = record["findings"].as_array().unwrap();
    let admitted = findings.iter().filter(|f| f["verdict"] != "noted");
    admitted.map(|f| f["layer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn al_4_each_request_leaves_one_record_whoever_decided_it() {
    let server = Server::with_burst(Mode::Json, 2).await;
    let admin = server.token("ada").encode();
    let viewer = server
        .token("vera")
        .claim("roles", json!(["viewer"]))
        .encode();
    let discover = || post(Revision::V2026_07_28, "server/discover", json!({}));
    let asks = [
        (tool("delete").bearer(&admin), 200, "tool_call", "success"),
        (
            tool("delete").bearer(&viewer),
            403,
            "authorization_denied",
            "failure",
        ),
        (tool("delete"), 401, "authentication_failure", "failure"),
        (
            tool("delete").bearer("abc"),
            401,
            "authentication_failure",
            "failure",
        ),
        (
            tool("delete").origin("https://evil.example"),
            403,
            "policy_violation",
            "failure",
        ),
        (
            tool("delete").bearer(&admin).body("{"),
            400,
            "protocol_violation",
            "failure",
        ),
        (tool("whoami").bearer(&admin), 200, "tool_call", "success"),
        (
            tool("whoami").bearer(&admin),
            429,
            "rate_limited",
            "failure",
        ),
        (discover().bearer(&admin), 200, "request", "success"),
    ];
    let mut expected = Vec::new();
    for (ask, status, event, result) in asks {
        let answer = send(&server, ask).await;
        assert_eq!(answer.status(), status);
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        expected.push((status, event, result, id));
    }
    let records = server.records.all();
    assert_eq!(records.len(), expected.len());
    for (record, (status, event, result, id)) in records.iter().zip(expected) {
        assert_eq!(record["status"], status, "{record}");
        assert_eq!(record["event_type"], event, "{record}");
        assert_eq!(record["result"], result, "{record}");
        assert_eq!(record["correlation_id"], id, "{record}");
        assert_eq!(record["ip_address"], "127.0.0.1", "{record}");
        assert!(!record.to_string().contains("s3cret"), "{record}");
    }
    let everybody = [
        "network",
        "cors",
        "address_limit",
        "auth",
        "session",
        "call",
        "ratelimit",
        "rbac",
        "tasks",
    ];
    assert_eq!(layers(&records[0]), everybody, "every guard's finding");
    assert_eq!(layers(&records[1]), everybody[..8]);
    assert_eq!(layers(&records[2]), everybody[..4]);
    assert_eq!(layers(&records[4]), everybody[..2]);
    assert_eq!(records[1]["user_id"], "vera");
    assert_eq!(records[1]["user_role"], json!(["viewer"]));
    assert_eq!(records[1]["tool_name"], "delete");
    assert_eq!(records[2]["user_id"], Value::Null);
}

/// What a handler refuses: with one JSON object as answer it is known when the head leaves, with a
/// stream before its end.
#[tokio::test]
async fn al_4_what_a_handler_refuses_is_recorded_as_refused_in_every_mode() {
    for mode in [Mode::Json, Mode::Streams, Mode::Sessions] {
        let server = Server::start(mode).await;
        let token = server
            .token("vera")
            .claim("roles", json!(["viewer"]))
            .encode();
        let publish = call_tool(Revision::V2025_11_25, "publish", json!({}));
        let mut ask = publish.bearer(&token);
        if mode == Mode::Sessions {
            let initialize = initialize(Revision::V2025_11_25).bearer(&token);
            let answer = send(&server, initialize).await;
            assert_eq!(answer.status(), 200);
            let session = answer.headers()["mcp-session-id"]
                .to_str()
                .unwrap()
                .to_owned();
            let _ = answer.bytes().await.unwrap();
            ask = ask.header("mcp-session-id", session);
        }
        let answer = send(&server, ask).await;
        assert_eq!(answer.status(), 200, "{mode:?}");
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(answer.text().await.unwrap().contains("not permitted"));
        let records = server.records.all();
        let about: Vec<_> = records
            .iter()
            .filter(|r| r["correlation_id"] == *id)
            .collect();
        let refusals: Vec<_> = about.iter().filter(|r| r["outcome"] == "refused").collect();
        assert_eq!(refusals.len(), 1, "{mode:?}: {about:?}");
        let refused = refusals[0];
        assert_eq!(refused["result"], "failure", "{refused}");
        assert_eq!(refused["metadata"]["denial"], "forbidden", "{refused}");
        assert_eq!(refused["user_id"], "vera", "{refused}");
        assert_eq!(refused["tool_name"], "publish", "{refused}");
        let findings = refused["findings"].as_array().unwrap();
        let last = findings.last().unwrap();
        assert_eq!(last["layer"], "caller", "{refused}");
        assert!(
            last["reason"].as_str().unwrap().contains("developer"),
            "{refused}"
        );
        assert_eq!(about.len(), 1, "{mode:?}: the stream had not ended");
    }
}

#[tokio::test]
async fn al_4_what_no_guard_sees_leaves_a_record_too() {
    let server = Server::start(Mode::Json).await;
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    for (path, status) in [("/nope", 404), (metadata, 200)] {
        let url = format!("{}{path}", server.origin());
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let record = server.records.all().pop().unwrap();
        assert_eq!(record["correlation_id"], id);
        assert_eq!(record["event_type"], "http_request");
        assert_eq!(record["metadata"]["http_path"], path);
        assert_eq!(record["status"], status);
    }
    assert_eq!(server.records.all().len(), 2);
}

#[tokio::test]
async fn al_2_no_record_holds_a_credential() {
    let server = Server::start(Mode::Json).await;
    let good = server.token("ann").encode();
    let spoiled = server.token("ann").encode_spoiled();
    for request in [
        tool("whoami").bearer(&good),
        tool("whoami").bearer(&spoiled),
        tool("whoami")
            .bearer(&good)
            .header("cookie", format!("token={good}")),
        tool("whoami").header("x-api-key", &good),
    ] {
        send(&server, request).await;
    }
    let records = server.records.all();
    assert_eq!(records.len(), 4);
    for record in records {
        let record = record.to_string();
        for token in [&good, &spoiled] {
            assert!(
                !record.contains(token.rsplit('.').next().unwrap()),
                "{record}"
            );
        }
    }
}

/// The head is out when the client leaves; the record was written with it. Before that, it is
/// `aborted`.
#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_recorded_as_aborted() {
    let server = Server::start(Mode::Json).await;
    let token = server.token("ann").encode();
    let call = send(&server, tool("wait").bearer(token));
    tokio::select! {
        _ = call => unreachable!("the tool waits"),
        () = server.probe.started.notified() => {}
    }
    for _ in 0..100 {
        if !server.records.all().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let records = server.records.all();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "aborted");
    assert_eq!(records[0]["tool_name"], "wait");
}

/// A panic passes through audit, which records it, and becomes an answer in headers.
#[tokio::test]
async fn a_panic_is_a_500_outside_and_a_record_inside() {
    let records = bartizan::audit::Records::new();
    async fn crash() -> &'static str {
        panic!("for the test")
    }
    let app = axum::Router::new()
        .route("/mcp", axum::routing::post(crash))
        .layer(bartizan::AuditLayer::new(records.clone()))
        .layer(bartizan::SecurityHeadersLayer::mcp());
    let response = tower::ServiceExt::oneshot(app, tool("whoami").build_axum());
    assert_eq!(response.await.unwrap().status(), 500);
    let records = records.all();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["outcome"], "panicked");
}

//! No credential reaches a sink.

use std::sync::{Arc, Mutex};

use bartizan_audit::{AuditLayer, JsonLines, Records};
use bartizan_core::{CallLayer, RequestBody};
use http::{HeaderValue, Request};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use super::{common::*, json_lines::Shared};

const SECRET: &str = "s3cr3t-4711";

/// A request with a secret wherever a client or a service puts one.
fn loaded(method: &str, params: &serde_json::Value) -> Request<Body> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut request = rpc(&body.to_string());
    *request.uri_mut() = format!("/mcp?access_token={SECRET}&api_key={SECRET}")
        .parse()
        .unwrap();
    for name in [
        "authorization",
        "proxy-authorization",
        "cookie",
        "dpop",
        "x-api-key",
        "mcp-session-id",
        "referer",
        "last-event-id",
    ] {
        let value = HeaderValue::from_str(&format!("Bearer {SECRET}")).unwrap();
        request.headers_mut().insert(name, value);
    }
    as_ann(request)
}

#[tokio::test]
async fn al_2_se_7_tr_24_seed_u5_no_credential_reaches_any_sink() {
    let written = Shared::default();
    let lines = JsonLines::to(written.clone());
    let records = Records::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let layer = AuditLayer::new(records.clone())
        .also(lines.clone())
        .also(super::tracing_events::Fields::into(Arc::clone(&seen)));
    let uri = format!("https://ann:{SECRET}@files.example/x?sig={SECRET}#{SECRET}");
    for (method, params) in [
        (
            "tools/call",
            json!({ "name": "t", "arguments": { "password": SECRET, "nested": { "Token": SECRET } } }),
        ),
        ("resources/read", json!({ "uri": uri })),
        (
            "resources/read",
            json!({ "uri": format!("file:///a?token={SECRET}") }),
        ),
        ("tools/list", json!({ "cursor": SECRET })),
    ] {
        let inner = service_fn(|_: Request<RequestBody<Body>>| async {
            let mut answer = ok();
            let cookie = HeaderValue::from_str(&format!("sid={SECRET}")).unwrap();
            answer.headers_mut().insert("set-cookie", cookie.clone());
            answer.headers_mut().insert("mcp-session-id", cookie);
            Ok::<_, std::io::Error>(answer)
        });
        let service = layer.layer(CallLayer::new().layer(inner));
        service.oneshot(loaded(method, &params)).await.unwrap();
    }
    // An error's text stays out as well (`error=str(e)`).
    let failing = service_fn(|_: Request<Body>| async {
        Err::<http::Response<Body>, _>(std::io::Error::other(SECRET))
    });
    let failed = layer
        .layer(failing)
        .oneshot(loaded("tools/list", &json!({})));
    assert!(failed.await.is_err());

    lines.flush(super::json_lines::PATIENCE).unwrap();
    let everything = [
        records.lines().join("\n"),
        written.text(),
        seen.lock().unwrap().join("\n"),
    ];
    for (sink, text) in everything.iter().enumerate() {
        assert_eq!(text.lines().count(), 5, "sink {sink}: {text}");
        assert!(!text.contains(SECRET), "sink {sink}: {text}");
        assert!(text.contains("/mcp"), "sink {sink}: {text}");
    }
}

#[tokio::test]
async fn seed_u6_a_secret_in_arguments_is_left_out_whatever_its_key_and_depth() {
    for key in [
        "Password",
        "authorization",
        "refresh_token",
        "client_secret",
        "harmless",
    ] {
        let arguments = json!({ key: SECRET, "deep": [{ "deeper": { key: [SECRET] } }] });
        let params = json!({ "name": "t", "arguments": arguments });
        let record = of_call(loaded("tools/call", &params)).await;
        assert_eq!(record["tool_name"], "t");
        assert!(!record.to_string().contains(SECRET), "{record}");
    }
}

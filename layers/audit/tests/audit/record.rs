//! What a record says.

use std::net::IpAddr;

use bartizan_core::{CorrelationId, Decided, Principal, SecurityContext, identify};
use http::{HeaderValue, Request, Response};
use serde_json::{Map, Value, json};

use super::common::*;

/// The seed's fields of an audit event.
const TWELVE: [&str; 12] = [
    "timestamp",
    "event_type",
    "user_id",
    "user_role",
    "tool_name",
    "resource_id",
    "action",
    "result",
    "ip_address",
    "user_agent",
    "correlation_id",
    "metadata",
];

#[tokio::test]
async fn al_4_seed_u14_a_record_holds_all_of_a_tool_call() {
    let mut request = as_ann(call_tool("create_ticket"));
    let agent = HeaderValue::from_static("client/1.0");
    request.headers_mut().insert("user-agent", agent);
    let context = SecurityContext::of(&mut request);
    let id = CorrelationId::parse("req-1").unwrap();
    context.set_correlation_id(id).unwrap();
    let address: IpAddr = "2001:db8::7".parse().unwrap();
    context.set_client_address(address).unwrap();
    let trace = HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    request.headers_mut().insert("traceparent", trace);
    let record = of_call(request).await;
    assert_eq!(
        record,
        json!({
            "schema": 2,
            "event_id": record["event_id"],
            "sequence": 1,
            "timestamp": "2026-11-23T15:00:00.000000Z",
            "event_type": "tool_call",
            "severity": "info",
            "classes": ["authentication_success"],
            "user_id": "ann",
            "user_role": ["developer", "viewer"],
            "tool_name": "create_ticket",
            "resource_id": null,
            "action": "tools/call",
            "result": "success",
            "ip_address": "2001:db8::7",
            "user_agent": "client/1.0",
            "correlation_id": "req-1",
            "outcome": "admitted",
            "status": 200,
            "answer": "missing",
            "rpc_code": null,
            "latency_us": 0,
            "duration_us": 0,
            "request_bytes": 80,
            "response_bytes": 0,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "findings": [{ "layer": "call", "verdict": "allowed", "kind": "call_read" }],
            "findings_dropped": 0,
            "metadata": {
                "principal_kind": "user",
                "auth_method": "jwt",
                "issuer": "https://auth.example.com",
                "client_id": "agent-7",
                "tenant": "acme",
                "credential_id": "jti-1",
                "scopes": ["tickets.write"],
                "call_kind": "request",
                "rpc_id": "7",
                "http_method": "POST",
                "http_path": "/mcp",
                "parent_id": "b7ad6b7169203331",
            },
        })
    );
}

#[tokio::test]
async fn seed_u10_what_is_absent_is_null_and_nothing_is_said_twice() {
    let (record, _) = through(empty(), |_| async { ok() }).await;
    for field in TWELVE {
        assert!(record.get(field).is_some(), "`{field}` is missing");
    }
    assert_eq!(record["user_id"], Value::Null);
    assert_eq!(record["user_role"], Value::Null);
    assert!(!record.to_string().contains("None"));

    let record = of_call(as_ann(call_tool("create_ticket"))).await;
    let promoted = record.as_object().unwrap();
    let metadata = record["metadata"].as_object().unwrap();
    let values = |map: &Map<String, Value>| -> Vec<String> {
        let scalars = map.values().filter(|v| v.is_string());
        scalars.map(ToString::to_string).collect()
    };
    for (key, value) in metadata {
        assert!(!promoted.contains_key(key), "`{key}` is promoted");
        assert!(!values(promoted).contains(&value.to_string()), "`{key}`");
    }
}

#[tokio::test]
async fn seed_u14_a_record_says_what_was_decided_and_by_which_policy() {
    let rule = |name: &str| name.to_owned().into();
    let mut decided = Decided::by("7".into());
    decided.baseline("lists");
    for n in 0..5 {
        decided.rule(&rule(&format!("tool:{n}")));
    }
    decided.operations(3);
    decided.unclear();
    decided.granted();
    decided.limited();
    decided.outcome("forbidden");
    let mut request = call_tool("create_ticket");
    let scopes = (0..17).map(|n| format!("scope:{n}"));
    let ann = Principal::user("i", "ann").scopes(scopes).build("jwt");
    identify(&mut request, ann).unwrap();
    SecurityContext::of(&mut request).set_decided(decided);
    let record = of_call(request).await;
    assert_eq!(
        record["metadata"]["decision"],
        json!({
            "outcome": "forbidden",
            "policy": "7",
            "baseline": "lists",
            "rules": ["tool:0", "tool:1", "tool:2", "tool:3", "…"],
            "operations": 3,
            "is_unclear": true,
            "is_granted": true,
            "is_limited": true,
        })
    );
    let scopes = record["metadata"]["scopes"].as_array().unwrap();
    assert_eq!(
        (&scopes[15], &scopes[16]),
        (&json!("scope:15"), &json!("…"))
    );
    assert_eq!(scopes.len(), 17);
}

#[tokio::test]
async fn an_anonymous_caller_is_nobody() {
    let mut request = empty();
    let nobody = bartizan_core::Principal::anonymous();
    bartizan_core::identify(&mut request, nobody).unwrap();
    let (record, _) = through(request, |_| async { ok() }).await;
    assert_eq!(record["user_id"], Value::Null);
    assert_eq!(record["user_role"], Value::Null);
    assert_eq!(record["metadata"]["principal_kind"], "anonymous");
}

#[tokio::test]
async fn every_sort_of_call_has_its_event_type_and_its_fields() {
    let rpc_of = |method: &str, params: Value| {
        rpc(&json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params }).to_string())
    };
    let get = Request::get("/mcp").body(Body::default()).unwrap();
    let delete = Request::delete("/mcp").body(Body::default()).unwrap();
    for (request, event_type, action, field, value) in [
        (
            rpc_of("resources/read", json!({ "uri": "file:///motd" })),
            "resource_read",
            "resources/read",
            "/resource_id",
            "file:///motd",
        ),
        (
            rpc_of("prompts/get", json!({ "name": "greet" })),
            "prompt_get",
            "prompts/get",
            "/metadata/prompt",
            "greet",
        ),
        (
            rpc_of("tools/list", json!({})),
            "request",
            "tools/list",
            "/metadata/rpc_id",
            "\"a\"",
        ),
        (
            rpc(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            "notification",
            "notifications/initialized",
            "/result",
            "success",
        ),
        (
            rpc(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            "response",
            "response",
            "/result",
            "success",
        ),
        (get, "stream", "stream", "/metadata/http_method", "GET"),
        (
            delete,
            "session_end",
            "end_session",
            "/metadata/http_method",
            "DELETE",
        ),
    ] {
        let record = of_call(request).await;
        assert_eq!(record["event_type"], event_type, "{record}");
        assert_eq!(record["action"], action, "{record}");
        assert_eq!(record.pointer(field).unwrap(), value, "{record}");
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_a_protocol_violation() {
    let record = of_call(rpc("{")).await;
    assert_eq!(record["event_type"], "protocol_violation");
    assert_eq!(record["metadata"]["denial"], "json_malformed");
    assert_eq!(record["action"], Value::Null);
}

#[tokio::test]
async fn the_answer_names_the_correlation_id_whatever_the_service_says() {
    let (record, answer) = through(empty(), |_| async {
        let mut answer = ok();
        let own = HeaderValue::from_static("the service's own");
        answer.headers_mut().append("x-request-id", own.clone());
        answer.headers_mut().append("x-request-id", own);
        answer
    })
    .await;
    let named: Vec<_> = answer.headers().get_all("x-request-id").iter().collect();
    assert_eq!(named, [record["correlation_id"].as_str().unwrap()]);
}

#[tokio::test]
async fn seed_u3_seed_u16_address_agent_and_id_are_not_the_arguments_to_choose() {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "t", "arguments": {
            "request_context": { "ip_address": "10.9.9.9", "user_agent": "forged", "correlation_id": "forged" },
            "ip_address": "10.9.9.9", "action": "x", "user_id": "root",
        } },
    });
    let mut request = rpc(&body.to_string());
    for (name, value) in [
        ("x-forwarded-for", "10.9.9.9"),
        ("forwarded", "for=10.9.9.9"),
        ("x-real-ip", "10.9.9.9"),
        ("x-request-id", "forged"),
        ("x-user-id", "root"),
    ] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    let context = SecurityContext::of(&mut request);
    context.set_client_address([192, 0, 2, 7].into()).unwrap();
    let record = of_call(request).await;
    let line = record.to_string();
    for forged in ["10.9.9.9", "forged", "root"] {
        assert!(!line.contains(forged), "{line}");
    }
    assert_eq!(record["ip_address"], "192.0.2.7");
}

#[tokio::test]
async fn seed_u4_no_argument_prevents_the_record_of_an_effect() {
    for name in [
        "action",
        "timestamp",
        "",
        "\u{0}",
        "}{",
        "a\"b",
        "{\"result\":\"success\"}",
    ] {
        let record = of_call(call_tool(name)).await;
        // A name that the call layer refuses has a record as well.
        assert!(record["outcome"].is_string(), "{record}");
        if record["outcome"] == "admitted" {
            assert_eq!(record["tool_name"], name);
        }
    }
}

/// The names of the record's own fields, of which a careless record is made.
#[tokio::test]
async fn seed_u4_arguments_named_like_fields_change_none_of_them() {
    let fields = [
        "timestamp",
        "event_type",
        "user_id",
        "user_role",
        "tool_name",
        "resource_id",
        "action",
        "result",
        "ip_address",
        "user_agent",
        "correlation_id",
        "metadata",
    ];
    let call = |arguments: Value| {
        let params = json!({ "name": "delete_note", "arguments": arguments });
        rpc(
            &json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params })
                .to_string(),
        )
    };
    let plain = of_call(call(json!({}))).await;
    let all: serde_json::Map<_, _> = fields
        .map(|field| (field.to_owned(), json!("forged")))
        .into_iter()
        .collect();
    let one = |field: &str| json!({ field: "forged" });
    for arguments in fields.map(one).into_iter().chain([Value::Object(all)]) {
        let mut record = of_call(call(arguments.clone())).await;
        for own in ["correlation_id", "event_id", "latency_us", "request_bytes"] {
            assert!(!record[own].is_null());
            record[own] = plain[own].clone();
        }
        assert_eq!(record, plain, "{arguments}");
    }
}

#[tokio::test]
async fn seed_u7_odd_values_are_recorded_and_nothing_panics() {
    let long = "x".repeat(100_000);
    for agent in [
        &b"\xff\xfe"[..],
        b"",
        b"@x.com",
        long.as_bytes(),
        "é".as_bytes(),
    ] {
        let mut request = empty();
        *request.method_mut() = http::Method::from_bytes(b"M!#$%&'*+-.^_`|~").unwrap();
        *request.uri_mut() = http::Uri::from_static("*");
        let value = HeaderValue::from_bytes(agent).unwrap();
        request.headers_mut().insert("user-agent", value);
        let principal = bartizan_core::Principal::user("", "")
            .roles(["", "\n"])
            .tenant("")
            .client_id("\u{202e}")
            .build("");
        bartizan_core::identify(&mut request, principal).unwrap();
        let (record, _) = through(request, |_| async { Response::new(Body::default()) }).await;
        assert_eq!(record["user_id"], "");
        assert_eq!(record["user_role"], json!(["", "\n"]));
        assert!(record["user_agent"].is_string());
    }
}

//! What the server says of its list while calls go on.

use std::time::Duration;

use bartizan_core::{Denial, DenialKind};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use bartizan_validate::{Validate, ValidateLayer};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::server::{Server, tool};

type Guarded = Validate<Server>;

async fn send(service: &Guarded, request: McpRequest) -> Option<DenialKind> {
    let response = service.clone().oneshot(request.build()).await.unwrap();
    let kind = response.extensions().get().map(Denial::kind);
    response.into_body().collect().await.unwrap();
    kind
}

async fn call(service: &Guarded, name: &str, arguments: Value) -> Option<DenialKind> {
    send(service, call_tool(Revision::V2026_07_28, name, arguments)).await
}

fn named() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
}

fn changed() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": {}}})
}

const REFUSED: Option<DenialKind> = Some(DenialKind::ArgumentsInvalid);

#[tokio::test(start_paused = true)]
async fn a_list_that_is_said_to_have_changed_is_asked_for_at_the_next_call() {
    for (method, is_stream) in [
        ("tools/call", true),
        ("resources/list", true),
        ("subscriptions/listen", true),
        ("tools/list", true),
        ("batch", false),
        ("one message", false),
    ] {
        let server = Server::with(&[("a", json!({}))]);
        let service = ValidateLayer::new().layer(server.clone());
        assert_eq!(call(&service, "a", json!({})).await, None);
        tokio::time::advance(Duration::from_secs(2)).await;
        server.state().is_stream = is_stream;
        server.state().pages = vec![json!([tool("a", &named())])];
        server.state().notes = vec![changed()];
        server.state().body = match method {
            "batch" => Some(json!([changed(), {"jsonrpc": "2.0", "id": 1, "result": {}}])),
            "one message" => Some(changed()),
            _ => None,
        };
        let kind = match method {
            "tools/call" => call(&service, "a", json!({})).await,
            "batch" | "one message" => {
                send(&service, post(Revision::V2026_07_28, "ping", json!({}))).await
            }
            method => send(&service, post(Revision::V2026_07_28, method, json!({}))).await,
        };
        assert_eq!(kind, None, "{method}");
        server.state().notes.clear();
        server.state().body = None;
        let asked = server.counts().0;
        assert_eq!(call(&service, "a", json!({})).await, REFUSED, "{method}");
        assert_eq!(call(&service, "a", json!({})).await, REFUSED, "{method}");
        assert_eq!(server.counts().0, asked + 1, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_says_of_a_change_is_no_word_of_the_server() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().is_stream = true;
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(call(&service, "a", json!({})).await, None);
    for note in [
        json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"}),
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": changed()}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [changed()]}}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"content": changed().to_string()}}),
        json!("notifications/tools/list_changed"),
    ] {
        tokio::time::advance(Duration::from_secs(20)).await;
        server.state().notes = vec![note.clone()];
        call(&service, "a", json!({})).await;
        call(&service, "a", json!({})).await;
        assert_eq!(server.counts().0, 1, "{note}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_always_says_so_is_asked_no_more_than_so_often() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().is_stream = true;
    server.state().notes = vec![changed(); 3];
    let service = ValidateLayer::new().layer(server.clone());
    for _ in 0..1000 {
        assert_eq!(call(&service, "a", json!({})).await, None);
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let asked = server.counts().0;
    assert!((10..=31).contains(&asked), "{asked} times in 100 seconds");
}

/// The answer may be older than what was said meanwhile.
#[tokio::test(start_paused = true)]
async fn a_change_while_the_list_is_asked_for_is_not_lost() {
    let server = Server::with(&[("a", json!({}))]);
    let service = ValidateLayer::new().layer(server.clone());
    server.state().is_stream = true;
    server.state().notes = vec![changed()];
    assert_eq!(call(&service, "a", json!({})).await, None);
    server.state().notes.clear();
    server.state().pages = vec![json!([tool("a", &named())])];
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(call(&service, "a", json!({})).await, REFUSED);
}

#[tokio::test(start_paused = true)]
async fn one_page_that_passes_and_differs_is_enough() {
    let server = Server::default();
    server.state().pages = vec![
        json!([tool("a", &json!({}))]),
        json!([tool("b", &json!({}))]),
    ];
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(call(&service, "b", json!({})).await, None);
    assert_eq!(server.counts().0, 2);
    let page = || post(Revision::V2026_07_28, "tools/list", json!({"cursor": "1"}));
    tokio::time::advance(Duration::from_secs(2)).await;
    send(&service, page()).await;
    assert_eq!(call(&service, "b", json!({})).await, None);
    assert_eq!(server.counts().0, 3, "the same page changes nothing");
    server.state().pages[1] = json!([tool("b", &named())]);
    send(&service, page()).await;
    assert_eq!(call(&service, "b", json!({})).await, REFUSED);
    assert_eq!(server.counts().0, 6);
}

#[tokio::test(start_paused = true)]
async fn n_14_the_shortest_hint_of_all_pages_counts_and_what_is_none_is_ignored() {
    for (hint, seconds) in [
        (
            json!({"ttlMs": 20_000, "cacheScope": "private", "resultType": "complete"}),
            20,
        ),
        (json!({"ttlMs": 0}), 10),
        (json!({"ttlMs": -5}), 300),
        (json!({"ttlMs": "20000"}), 300),
        (json!({"ttlMs": 1e300}), 300),
        (json!({"ttlMs": u64::MAX}), 86_400),
    ] {
        let server = Server::default();
        server.state().pages = vec![json!([tool("a", &json!({}))]), json!([])];
        server.state().also = Some(hint.clone());
        let service = ValidateLayer::new().layer(server.clone());
        assert_eq!(call(&service, "a", json!({})).await, None);
        tokio::time::advance(Duration::from_secs(seconds - 1)).await;
        assert_eq!(call(&service, "a", json!({})).await, None);
        assert_eq!(server.counts().0, 2, "{hint}");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(call(&service, "a", json!({})).await, None);
        assert_eq!(server.counts().0, 4, "{hint}");
    }
}

#[tokio::test]
async fn n_20_a_result_that_is_not_complete_is_no_list() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().also = Some(json!({"resultType": "input_required"}));
    let service = ValidateLayer::new().layer(server.clone());
    let kind = call(&service, "a", json!({})).await;
    assert_eq!(kind, Some(DenialKind::Unavailable));
}

use std::{sync::Mutex, time::Duration};

use bartizan_core::{Denial, DenialKind, Events, Principal, RequestBody, identify};
use bartizan_kit::{McpRequest, Revision, call_tool, post};
use bartizan_validate::{Learning, Validate, ValidateLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_service::Service;

use crate::server::{Server, tool};

type Guarded = Validate<Server>;

async fn send(service: &Guarded, request: McpRequest) -> (u16, Value, Option<DenialKind>) {
    let response: Response<_> = service.clone().oneshot(request.build()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let kind = head.extensions.get().map(Denial::kind);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (head.status.as_u16(), body, kind)
}

fn call(tool: &str, arguments: Value) -> McpRequest {
    call_tool(Revision::V2026_07_28, tool, arguments)
}

fn named() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
}

async fn is_refused(service: &Guarded, tool: &str, arguments: Value) -> bool {
    let (status, body, kind) = send(service, call(tool, arguments)).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        kind.is_some(),
        body["result"]["isError"] == true || body.get("error").is_some()
    );
    kind.is_some()
}

#[tokio::test]
async fn iv_1_what_the_server_lists_is_what_calls_are_judged_by() {
    for is_stream in [false, true] {
        for revision in Revision::ALL {
            let server = Server::with(&[("add", named())]);
            server.state().is_stream = is_stream;
            let service = ValidateLayer::new().layer(server.clone());
            let mut request = call_tool(revision, "add", json!({"name": "a"}))
                .header("mcp-session-id", "s1")
                .header("mcp-param-x", "1")
                .header("accept-encoding", "gzip")
                .build();
            identify(&mut request, Principal::user("i", "ann").build("test")).unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(server.counts(), (1, 1));
            let wrong = call_tool(revision, "add", json!({"name": 7}));
            let (status, body, kind) = send(&service, wrong).await;
            assert_eq!((status, kind), (200, Some(DenialKind::ArgumentsInvalid)));
            let told = body["result"]["content"][0]["text"].as_str().unwrap();
            assert!(
                told.contains("`/name`: it must be of type string"),
                "{told}"
            );
            assert_eq!(
                server.counts(),
                (1, 1),
                "it was asked once, and called once"
            );
            let state = server.state();
            let asked = &state.listed[0];
            assert_eq!(asked.subject.as_deref(), Some("ann"));
            assert_eq!(asked.method, None, "what inner guards judge is no call");
            assert_eq!(asked.headers["mcp-session-id"], "s1");
            for name in ["mcp-name", "mcp-param-x", "accept-encoding"] {
                assert!(!asked.headers.contains_key(name), "{name}");
            }
            let modern = revision.is_modern();
            assert_eq!(asked.headers.get("mcp-method").is_some(), modern);
            let meta = &asked.body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
            assert_eq!(meta.as_str().is_some(), modern);
            drop(state);
        }
    }
}

#[tokio::test]
async fn what_is_asked_for_is_a_good_request() {
    // Read strictly by a layer of ours, in every revision.
    for revision in Revision::ALL {
        let server = Server::with(&[("a", json!({})), ("b", named())]);
        let pages = vec![json!([tool("a", &json!({}))]), json!([tool("b", &named())])];
        server.state().pages = pages;
        let inner = bartizan_core::CallLayer::new().layer(server.clone());
        let service = ValidateLayer::new().layer(inner);
        let request: Request<Full<Bytes>> = call_tool(revision, "b", json!({"name": "a"})).build();
        let response = service.oneshot(request).await.unwrap();
        let denial = response.extensions().get::<Denial>();
        assert_eq!(response.status(), 200, "{revision:?} {denial:?}");
        assert_eq!(server.counts(), (2, 1));
        assert_eq!(
            server.state().listed[1].method.as_deref(),
            Some("tools/list")
        );
        assert_eq!(
            server.state().called[0].method.as_deref(),
            Some("tools/call")
        );
    }
}

#[tokio::test]
async fn all_pages_count_and_a_tool_on_none_is_unknown() {
    let server = Server::default();
    server.state().pages = (0..5)
        .map(|n| json!([tool(&format!("t{n}"), &named())]))
        .collect();
    let service = ValidateLayer::new().layer(server.clone());
    assert!(!is_refused(&service, "t4", json!({"name": "a"})).await);
    assert_eq!(server.counts(), (5, 1));
    for _ in 0..3 {
        let (status, body, kind) = send(&service, call("t5", json!({"name": "a"}))).await;
        assert_eq!((status, kind), (200, Some(DenialKind::ParamsInvalid)));
        assert_eq!(
            body["error"],
            json!({"code": -32602, "message": "unknown tool"})
        );
    }
    assert_eq!(
        server.counts(),
        (5, 1),
        "names that are not known make nobody ask"
    );
    let open = ValidateLayer::new()
        .danger_unknown_tools()
        .layer(server.clone());
    assert!(!is_refused(&open, "t5", json!({})).await);
    assert!(is_refused(&open, "t4", json!({})).await);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_new_is_known_after_some_time() {
    let server = Server::with(&[("a", named())]);
    let service = ValidateLayer::new().layer(server.clone());
    assert!(is_refused(&service, "b", json!({})).await);
    server.state().pages = vec![json!([tool("a", &named()), tool("b", &json!({}))])];
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(is_refused(&service, "b", json!({})).await);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!is_refused(&service, "b", json!({})).await);
    assert_eq!(server.counts().0, 2);
}

#[tokio::test(start_paused = true)]
async fn n_14_a_list_is_kept_as_long_as_the_server_says() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().also = Some(json!({"ttlMs": 60_000, "cacheScope": "public"}));
    let service = ValidateLayer::new().layer(server.clone());
    assert!(!is_refused(&service, "a", json!({})).await);
    server.state().pages = vec![json!([tool("a", &named())])];
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(!is_refused(&service, "a", json!({})).await);
    assert_eq!(server.counts().0, 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(
        is_refused(&service, "a", json!({})).await,
        "the new schema counts"
    );
    assert_eq!(server.counts().0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_passes_and_differs_makes_the_next_call_ask() {
    for is_stream in [false, true] {
        let server = Server::with(&[("a", json!({}))]);
        server.state().is_stream = is_stream;
        let service = ValidateLayer::new().layer(server.clone());
        assert!(!is_refused(&service, "a", json!({})).await);
        tokio::time::advance(Duration::from_secs(2)).await;
        let list = || post(Revision::V2026_07_28, "tools/list", json!({}));
        send(&service, list()).await;
        assert!(!is_refused(&service, "a", json!({})).await);
        assert_eq!(server.counts().0, 2, "the same list changes nothing");
        server.state().pages = vec![json!([tool("a", &named())])];
        send(&service, list()).await;
        assert!(
            is_refused(&service, "a", json!({})).await,
            "the new schema counts"
        );
        assert_eq!(server.counts().0, 4);
    }
}

#[tokio::test]
async fn of_many_calls_at_once_one_asks() {
    let server = Server::with(&[("a", json!({}))]);
    let service = ValidateLayer::new().layer(server.clone());
    let calls = (0..50).map(|_| is_refused(&service, "a", json!({})));
    let refused = futures_util::future::join_all(calls).await;
    assert!(refused.iter().all(|refused| !refused));
    assert_eq!(server.counts(), (1, 50));
}

#[tokio::test(start_paused = true)]
async fn if_the_one_that_asks_goes_away_another_one_asks() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().hangs = true;
    let service = ValidateLayer::new().layer(server.clone());
    let first = tokio::spawn({
        let service = service.clone();
        async move { is_refused(&service, "a", json!({})).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(server.counts(), (1, 0));
    let second = tokio::spawn({
        let service = service.clone();
        async move { is_refused(&service, "a", json!({})).await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(server.counts(), (1, 0), "one asks");
    server.state().hangs = false;
    first.abort();
    assert!(!second.await.unwrap());
    assert_eq!(server.counts(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn ac_16_a_list_that_cannot_be_had_is_503_and_what_was_known_does_for_a_time() {
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let events = Events::to({
        let seen = seen.clone();
        move |event| {
            seen.lock()
                .unwrap()
                .push((event.kind, event.detail.to_string()));
        }
    });
    let server = Server::with(&[("a", named())]);
    let how = Learning::new().stale(Duration::from_secs(1000)).unwrap();
    let layer = ValidateLayer::new().learning(how).events(events);
    for (status, body, told) in [
        (
            500,
            "oops",
            "the list of tools has a status that is not 200",
        ),
        (403, "no", "the list of tools is refused"),
        (200, "{", "the list of tools is no JSON"),
        (200, "\"x\"", "the list of tools is to another request"),
        (
            200,
            r#"{"id":{id},"error":{}}"#,
            "the list of tools is an error",
        ),
        (
            200,
            r#"{"id":{id},"result":{"tools":{}}}"#,
            "the list of tools has no list of tools",
        ),
        (
            200,
            r#"{"id":{id},"result":{"tools":[{"name":"a"}]}}"#,
            "the list of tools has a tool without a schema",
        ),
        (
            200,
            r#"{"id":{id},"result":{"tools":[{"name":"a","name":"b","inputSchema":{}}]}}"#,
            "the list of tools has a member twice",
        ),
        (
            200,
            r#"{"id":"mine","result":{"tools":[]}}"#,
            "the list of tools is to another request",
        ),
    ] {
        let service = layer.layer(server.clone());
        server.state().instead = Some((status, body.to_owned()));
        let (status, _, kind) = send(&service, call("a", json!({"name": "a"}))).await;
        assert_eq!(
            (status, kind),
            (503, Some(DenialKind::Unavailable)),
            "{told}"
        );
        let last = seen.lock().unwrap().pop().unwrap();
        assert_eq!(last, ("tools_unknown", told.to_owned()));
        let listed = server.counts().0;
        send(&service, call("a", json!({"name": "a"}))).await;
        assert_eq!(server.counts().0, listed, "nobody asks again at once");
        server.state().instead = None;
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(
            !is_refused(&service, "a", json!({"name": "a"})).await,
            "{told}"
        );
        server.state().instead = Some((500, String::new()));
        tokio::time::advance(Duration::from_secs(301)).await;
        for _ in 0..3 {
            assert!(
                !is_refused(&service, "a", json!({"name": "a"})).await,
                "{told}"
            );
            assert!(is_refused(&service, "a", json!({})).await);
        }
        tokio::time::advance(Duration::from_secs(1001)).await;
        let (status, ..) = send(&service, call("a", json!({"name": "a"}))).await;
        assert_eq!(status, 503, "{told}");
        seen.lock().unwrap().clear();
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_503_in_time() {
    let server = Server::with(&[("a", json!({}))]);
    server.state().hangs = true;
    let how = Learning::new().time(Duration::from_secs(3)).unwrap();
    let service = ValidateLayer::new().learning(how).layer(server.clone());
    let begun = tokio::time::Instant::now();
    let (status, ..) = send(&service, call("a", json!({}))).await;
    assert_eq!((status, begun.elapsed().as_secs()), (503, 3));
    assert_eq!(server.counts().1, 0);
}

#[tokio::test]
async fn lists_are_read_within_bounds() {
    let server = Server::default();
    let endless = |server: &Server| {
        server.state().pages = (0..500)
            .map(|n| json!([tool(&format!("t{n}"), &json!({}))]))
            .collect();
    };
    endless(&server);
    let service = ValidateLayer::new().layer(server.clone());
    assert_eq!(send(&service, call("t1", json!({}))).await.0, 503);
    assert_eq!(server.counts(), (64, 0));
    let how = Learning::new().tools(10).unwrap();
    let service = ValidateLayer::new().learning(how).layer(server.clone());
    assert_eq!(send(&service, call("t1", json!({}))).await.0, 503);
    let how = Learning::new().bytes(1024).unwrap();
    for is_stream in [false, true] {
        server.state().is_stream = is_stream;
        let service = ValidateLayer::new().learning(how).layer(server.clone());
        server.state().pages = vec![json!([tool(
            "t1",
            &json!({"description": "x".repeat(2000)})
        )])];
        assert_eq!(send(&service, call("t1", json!({}))).await.0, 503);
    }
}

#[tokio::test]
async fn ta_4_a_tool_that_is_listed_as_two_is_none() {
    let server = Server::with(&[
        ("a", json!({})),
        ("a", named()),
        ("b", json!({})),
        ("b", json!({})),
    ]);
    let service = ValidateLayer::new().layer(server);
    assert!(is_refused(&service, "a", json!({"name": "x"})).await);
    assert!(!is_refused(&service, "b", json!({})).await);
}

#[tokio::test]
async fn iv_3_iv_4_a_schema_that_is_not_taken_refuses_its_tool_alone() {
    let server = Server::with(&[
        ("remote", json!({"$ref": "http://127.0.0.1:9/x"})),
        (
            "old",
            json!({"$schema": "http://json-schema.org/draft-03/schema#"}),
        ),
        ("slow", json!({"properties": {"a": {"pattern": "(a)\\1"}}})),
        ("good", json!({})),
    ]);
    let service = ValidateLayer::new().layer(server);
    for tool in ["remote", "old", "slow"] {
        let (status, _, kind) = send(&service, call(tool, json!({}))).await;
        assert_eq!((status, kind), (403, Some(DenialKind::Forbidden)), "{tool}");
    }
    assert!(!is_refused(&service, "good", json!({})).await);
}

#[tokio::test]
async fn what_is_given_counts_whatever_the_server_says_and_nobody_is_asked() {
    let server = Server::with(&[("a", json!({}))]);
    let layer = ValidateLayer::new()
        .without_learning()
        .schema("a", &named().to_string())
        .unwrap()
        .danger_without_schema("b");
    let service = layer.clone().layer(server.clone());
    assert!(is_refused(&service, "a", json!({})).await);
    assert!(!is_refused(&service, "a", json!({"name": "x"})).await);
    assert!(!is_refused(&service, "b", json!({})).await);
    assert!(is_refused(&service, "c", json!({})).await);
    assert_eq!(server.counts(), (0, 2));
    let twice = layer.clone().schema("a", "{}").unwrap_err().to_string();
    assert_eq!(twice, "schema of tool `a` is there twice");
    let bad = layer
        .schema("d", r#"{"type":"x"}"#)
        .unwrap_err()
        .to_string();
    assert!(bad.starts_with("schema of tool `d` is not taken:"), "{bad}");
}

#[tokio::test]
async fn arguments_that_are_no_object_are_an_error_of_the_protocol() {
    let service = ValidateLayer::new().layer(Server::with(&[("a", json!({}))]));
    for arguments in [json!([]), json!("x"), json!(7)] {
        let (status, body, _) = send(&service, call("a", arguments)).await;
        assert_eq!(
            (status, body["error"]["code"].as_i64()),
            (400, Some(-32602))
        );
    }
    assert!(!is_refused(&service, "a", Value::Null).await);
}

/// The service that was polled ready is the one that is called, after the list was asked for too.
#[tokio::test]
async fn the_service_is_ready_whenever_it_is_called() {
    #[derive(Clone)]
    struct Strict(Server, bool);
    impl Service<Request<RequestBody<Full<Bytes>>>> for Strict {
        type Response = Response<Full<Bytes>>;
        type Error = std::convert::Infallible;
        type Future = <Server as Service<Request<RequestBody<Full<Bytes>>>>>::Future;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Self::Error>> {
            self.1 = true;
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<RequestBody<Full<Bytes>>>) -> Self::Future {
            assert!(std::mem::take(&mut self.1), "it was not ready");
            self.0.call(request)
        }
    }
    let server = Server::default();
    server.state().pages = (0..3)
        .map(|n| json!([tool(&format!("t{n}"), &json!({}))]))
        .collect();
    let service = ValidateLayer::new().layer(Strict(server.clone(), false));
    let response = service
        .oneshot(call("t2", json!({})).build())
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.counts(), (3, 1));
}

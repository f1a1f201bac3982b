//! Tasks over services that answer as they are told.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

#[path = "tasks/bodies.rs"]
mod bodies;
#[path = "tasks/lists.rs"]
mod lists;
#[path = "tasks/stores.rs"]
mod stores;
#[path = "tasks/streams.rs"]
mod streams;

use std::convert::Infallible;

use bartizan_core::{Denial, DenialKind, Principal, ResponseBody, identify};
use bartizan_kit::{Echo, McpRequest, Revision, call_tool, post};
use bartizan_session::{MemoryOwners, TaskBody, TaskOwnerLayer};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};

type Answer = Response<ResponseBody<ResponseBody<TaskBody<Full<Bytes>>>>>;

const LEGACY: Revision = Revision::V2025_11_25;
const MODERN: Revision = Revision::V2026_07_28;

fn user(subject: &str) -> Principal {
    let user = Principal::user("https://auth.example.com", subject);
    user.client_id("agent-7").build("test")
}

fn by(principal: &Principal, request: McpRequest) -> Request<Full<Bytes>> {
    let mut request = request.build();
    identify(&mut request, principal.clone()).unwrap();
    request
}

/// The answer of a service that says so to a request.
async fn answered(
    layer: &TaskOwnerLayer,
    request: Request<Full<Bytes>>,
    answer: Response<Full<Bytes>>,
) -> Answer {
    let inner = service_fn(move |_: Request<_>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(answer) }
    });
    let Ok(answer) = layer.layer(inner).oneshot(request).await;
    answer
}

async fn text(answer: Answer) -> String {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

fn kind(answer: &Answer) -> Option<DenialKind> {
    answer.extensions().get().map(Denial::kind)
}

fn as_json(message: &Value) -> Response<Full<Bytes>> {
    let text = message.to_string();
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("content-length", text.len());
    answer.body(Full::new(text.into())).unwrap()
}

/// A call that begins a task, in the shape of a revision.
fn began(revision: Revision, task: &str) -> Value {
    let result = match revision {
        Revision::V2026_07_28 => {
            json!({"resultType": "task", "taskId": task, "status": "working", "ttlMs": 60_000})
        }
        _ => json!({"task": {"taskId": task, "status": "working", "ttl": null}}),
    };
    json!({"jsonrpc": "2.0", "id": 1, "result": result})
}

fn call(revision: Revision) -> McpRequest {
    call_tool(revision, "slow", json!({}))
}

async fn begin(layer: &TaskOwnerLayer, who: &str, task: &str) {
    let answer = answered(
        layer,
        by(&user(who), call(MODERN)),
        as_json(&began(MODERN, task)),
    )
    .await;
    assert_eq!(answer.status(), 200);
}

fn about(method: &str, revision: Revision, task: &str) -> McpRequest {
    let request = post(revision, method, json!({"taskId": task}));
    match revision {
        Revision::V2026_07_28 => request.header("mcp-name", task),
        _ => request,
    }
}

/// Whether a request of a principal about a task arrives; if not, what is said.
async fn opens(layer: &TaskOwnerLayer, who: &Principal, request: McpRequest) -> Result<(), String> {
    let echo = Echo::new();
    let Ok(answer) = layer.layer(echo.clone()).oneshot(by(who, request)).await;
    if answer.status().is_success() {
        assert!(!echo.is_untouched());
        return Ok(());
    }
    assert!(echo.is_untouched());
    assert_eq!(kind(&answer), Some(DenialKind::TaskUnknown));
    assert_eq!(answer.status(), 400);
    let text = text(answer).await;
    let message: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(message["error"]["code"], -32602);
    Err(text)
}

const METHODS: [(&str, Revision); 6] = [
    ("tasks/get", MODERN),
    ("tasks/update", MODERN),
    ("tasks/cancel", MODERN),
    ("tasks/get", LEGACY),
    ("tasks/result", LEGACY),
    ("tasks/cancel", LEGACY),
];

#[tokio::test]
async fn ta_9_a_task_opens_for_whoever_began_it_and_is_unknown_to_all_others() {
    for shape in [LEGACY, MODERN] {
        let layer = TaskOwnerLayer::in_memory();
        let begun = as_json(&began(shape, "t-1"));
        let answer = answered(&layer, by(&user("ann"), call(shape)), begun).await;
        assert_eq!(answer.headers()["content-length"], answer_length(shape));
        assert_eq!(text(answer).await, began(shape, "t-1").to_string());
        let others = [
            user("bob"),
            Principal::user("https://other.example.com", "ann")
                .client_id("agent-7")
                .build("test"),
            Principal::user("https://auth.example.com", "ann")
                .client_id("agent-8")
                .build("test"),
            Principal::service("https://auth.example.com", "ann")
                .client_id("agent-7")
                .build("test"),
        ];
        for (method, revision) in METHODS {
            let ask = |task: &str| about(method, revision, task).id(7);
            opens(&layer, &user("ann"), ask("t-1")).await.unwrap();
            let unknown = opens(&layer, &user("ann"), ask("t-2")).await.unwrap_err();
            for other in &others {
                let refused = opens(&layer, other, ask("t-1")).await.unwrap_err();
                assert_eq!(refused, unknown, "{method} by {other:?}");
            }
            assert!(unknown.contains(r#""id":7"#));
        }
    }
}

fn answer_length(shape: Revision) -> String {
    began(shape, "t-1").to_string().len().to_string()
}

#[tokio::test]
async fn a_request_about_a_task_that_expects_no_answer_is_checked_too() {
    let layer = TaskOwnerLayer::in_memory();
    begin(&layer, "ann", "t").await;
    let cancel = || about("tasks/cancel", LEGACY, "t").notification();
    opens(&layer, &user("ann"), cancel()).await.unwrap();
    assert!(opens(&layer, &user("bob"), cancel()).await.is_err());
}

#[tokio::test]
async fn only_calls_begin_tasks() {
    let layer = TaskOwnerLayer::in_memory();
    for request in [
        post(MODERN, "tools/list", json!({})),
        post(LEGACY, "ping", json!({})),
    ] {
        let begun = as_json(&began(MODERN, "t"));
        answered(&layer, by(&user("ann"), request), begun).await;
    }
    let get = about("tasks/get", LEGACY, "t");
    assert!(opens(&layer, &user("ann"), get).await.is_err());
}

#[tokio::test]
async fn without_a_principal_nothing_passes() {
    let layer = TaskOwnerLayer::in_memory().danger_allow_anonymous();
    for request in [call(MODERN), about("tasks/get", LEGACY, "t")] {
        let echo = Echo::new();
        let Ok(answer) = layer.layer(echo.clone()).oneshot(request.build()).await;
        assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
        assert!(echo.is_untouched());
    }
}

#[tokio::test]
async fn the_anonymous_have_tasks_only_on_request() {
    let anonymous = Principal::anonymous();
    let layer = TaskOwnerLayer::in_memory();
    let begun = as_json(&began(MODERN, "t"));
    let answer = answered(&layer, by(&anonymous, call(MODERN)), begun.clone()).await;
    assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
    let plain = as_json(&json!({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}));
    let answer = answered(&layer, by(&anonymous, call(MODERN)), plain).await;
    assert_eq!(answer.status(), 200);
    for request in [
        about("tasks/get", LEGACY, "t"),
        post(LEGACY, "tasks/list", json!({})),
    ] {
        let answer = answered(&layer, by(&anonymous, request), begun.clone()).await;
        assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
    }

    let open = layer.danger_allow_anonymous();
    let answer = answered(&open, by(&anonymous, call(MODERN)), begun).await;
    assert_eq!(answer.status(), 200);
    let get = || about("tasks/get", MODERN, "t");
    opens(&open, &anonymous, get()).await.unwrap();
    assert!(opens(&open, &user("ann"), get()).await.is_err());
}

#[tokio::test]
async fn a_method_on_tasks_that_nobody_knows_is_refused() {
    let layer = TaskOwnerLayer::in_memory();
    begin(&layer, "ann", "t").await;
    let request = post(LEGACY, "tasks/steal", json!({"taskId": "t"}));
    let answer = answered(&layer, by(&user("ann"), request), as_json(&json!({}))).await;
    assert_eq!(kind(&answer), Some(DenialKind::Forbidden));
}

#[tokio::test]
async fn a_subscription_names_own_tasks_only() {
    let layer = TaskOwnerLayer::in_memory();
    begin(&layer, "ann", "a").await;
    begin(&layer, "bob", "b").await;
    let listen = |params| post(LEGACY, "subscriptions/listen", params);
    for (params, passes) in [
        (json!({}), true),
        (json!({"notifications": {"toolsListChanged": true}}), true),
        (json!({"notifications": {"taskIds": ["a"]}}), true),
        (json!({"notifications": {"taskIds": ["a", "b"]}}), false),
        (json!({"taskIds": ["b"]}), false),
        (json!({"taskIds": ["unknown"]}), false),
    ] {
        let opened = opens(&layer, &user("ann"), listen(params.clone())).await;
        assert_eq!(opened.is_ok(), passes, "{params}");
    }
    let request = by(&user("ann"), listen(json!({"taskIds": [1]})));
    let answer = answered(&layer, request, as_json(&json!({}))).await;
    assert_eq!(kind(&answer), Some(DenialKind::ParamsInvalid));
    let escaped = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"task\u0049ds":["b"]}}"#;
    let request = listen(json!({})).body(escaped);
    assert!(opens(&layer, &user("ann"), request).await.is_err());
}

#[test]
fn settings_out_of_range_do_not_build() {
    let second = std::time::Duration::from_secs(1);
    let layer = || TaskOwnerLayer::new(MemoryOwners::new());
    for bad in [
        layer().lifetime(59 * second),
        layer().lifetime(31 * 24 * 3600 * second),
        layer().answer_bytes(1023),
        layer().answer_bytes((64 << 20) + 1),
    ] {
        let error = bad.unwrap_err().to_string();
        assert!(error.contains("is not between"), "{error}");
    }
    assert!(layer().lifetime(60 * second).is_ok() && layer().answer_bytes(1024).is_ok());
}

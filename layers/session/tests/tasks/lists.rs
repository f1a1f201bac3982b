//! `tasks/list`, of which each caller sees its own.

use bartizan_core::DenialKind;
use bartizan_kit::post;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{LEGACY, TaskOwnerLayer, about, answered, as_json, begin, by, call, kind, text, user};

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 3, "result": {
        "tasks": [
            {"taskId": "a1", "status": "working"},
            {"taskId": "b1", "status": "working"},
            {"taskId": "nobodys", "status": "working"},
            {"taskId": "a2", "status": "completed"},
        ],
        "nextCursor": "more",
    }})
}

async fn layer() -> TaskOwnerLayer {
    let layer = TaskOwnerLayer::in_memory();
    for (who, task) in [("ann", "a1"), ("ann", "a2"), ("bob", "b1")] {
        begin(&layer, who, task).await;
    }
    layer
}

async fn asked(layer: &TaskOwnerLayer, who: &str, answer: Response<Full<Bytes>>) -> crate::Answer {
    let request = by(&user(who), post(LEGACY, "tasks/list", json!({})));
    answered(layer, request, answer).await
}

fn as_event(message: &Value) -> Response<Full<Bytes>> {
    let text = format!("id: 4\ndata: {message}\n\n");
    let answer = Response::builder().header("content-type", "text/event-stream");
    answer.body(Full::new(text.into())).unwrap()
}

fn ids(message: &Value) -> Vec<&str> {
    let tasks = message["result"]["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| task["taskId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn ta_9_each_caller_sees_its_own_tasks() {
    let layer = layer().await;
    for (who, expected) in [("ann", &["a1", "a2"][..]), ("bob", &["b1"]), ("cid", &[])] {
        let answer = asked(&layer, who, as_json(&list())).await;
        let length = answer.headers().get("content-length").cloned();
        let body = text(answer).await;
        assert!(length.is_none_or(|length| length == body.len().to_string()));
        let message: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(ids(&message), expected);
        assert_eq!(message["result"]["nextCursor"], "more");
        assert_eq!(message["id"], 3);

        let streamed = text(asked(&layer, who, as_event(&list())).await).await;
        let data = streamed.strip_prefix("id: 4\ndata: ").unwrap();
        let message: Value = serde_json::from_str(data).unwrap();
        assert_eq!(ids(&message), expected);
    }
}

#[tokio::test]
async fn a_list_that_nobody_can_read_does_not_leave() {
    let layer = layer().await.answer_bytes(1024).unwrap();
    let body = |length: usize| Full::new(Bytes::from(list().to_string() + &" ".repeat(length)));
    let answers = [
        Response::builder().header("content-type", "text/plain"),
        Response::builder(),
        Response::builder()
            .header("content-type", "application/json")
            .header("content-encoding", "gzip"),
    ];
    let mut unread: Vec<_> = answers.map(|a| a.body(body(0)).unwrap()).into();
    let long = Response::builder().header("content-type", "application/json");
    unread.push(long.body(body(1024)).unwrap());
    let strange = json!({"jsonrpc": "2.0", "id": 3, "result": {"tasks": {"x": {"taskId": "b1"}}}});
    unread.push(as_json(&strange));
    for answer in unread {
        let shown = format!("{answer:?}");
        let answer = asked(&layer, "ann", answer).await;
        assert_eq!(kind(&answer), Some(DenialKind::Internal), "{shown}");
        assert!(!text(answer).await.contains("taskId"));
    }

    let padded = list()
        .to_string()
        .replace("\"more\"", &format!("\"{}\"", "x".repeat(1100)));
    let padded: Value = serde_json::from_str(&padded).unwrap();
    for message in [&padded, &strange] {
        let streamed = text(asked(&layer, "ann", as_event(message)).await).await;
        assert!(!streamed.contains("taskId"), "{streamed}");
        assert!(streamed.contains(r#""code":-32603"#), "{streamed}");
    }
}

#[tokio::test]
async fn an_answer_without_a_list_passes() {
    let layer = layer().await;
    let error = json!({"jsonrpc": "2.0", "id": 3, "error": {"code": -32601, "message": "no"}});
    let answer = asked(&layer, "ann", as_json(&error)).await;
    assert_eq!(text(answer).await, error.to_string());
    let mut failed = Response::new(Full::from("no such thing"));
    *failed.status_mut() = http::StatusCode::NOT_FOUND;
    let answer = asked(&layer, "ann", failed).await;
    assert_eq!(answer.status(), 404);
    let answer = asked(&layer, "ann", Response::new(Full::default())).await;
    assert_eq!(answer.status(), 200);
}

/// A server with sessions finds where an answer goes by the request's id, and callers choose that.
#[tokio::test]
async fn ta_9_a_reused_id_shows_no_others_tasks_in_the_answer_to_another_request() {
    let layer = layer().await;
    for request in [
        call(LEGACY),
        post(LEGACY, "ping", json!({})),
        about("tasks/get", LEGACY, "a1"),
    ] {
        for answer in [as_json(&list()), as_event(&list())] {
            let request = by(&user("ann"), request.clone());
            let said = text(answered(&layer, request, answer).await).await;
            assert!(said.contains("a1") && said.contains("more"), "{said}");
            assert!(!said.contains("b1") && !said.contains("nobodys"), "{said}");
        }
    }
}

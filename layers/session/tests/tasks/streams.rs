//! Tasks that begin in event streams, and streams that go on with them.

use bartizan_core::{DenialKind, Principal, identify};
use bartizan_kit::{FrameSender, McpRequest, Scripted, get_stream};
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

use crate::{
    LEGACY, MODERN, TaskOwnerLayer, about, answered, began, begin, by, call, kind, opens, user,
};

/// What comes out of a stream, frame by frame.
async fn streamed(
    layer: &TaskOwnerLayer,
    who: &Principal,
    request: McpRequest,
    frames: &[&[u8]],
) -> Vec<Bytes> {
    let (inner, mut exchanges) = Scripted::<std::convert::Infallible>::new();
    let mut request = request.build();
    identify(&mut request, who.clone()).unwrap();
    let call = layer.layer(inner).oneshot(request);
    let (answer, sender): (_, FrameSender) =
        tokio::join!(call, async { exchanges.next().await.stream() });
    let mut body = Box::pin(answer.unwrap().into_body());
    for frame in frames {
        sender.data(frame.to_vec());
    }
    drop(sender);
    let mut out = Vec::new();
    while let Some(frame) = body.frame().await {
        out.push(frame.unwrap().into_data().unwrap());
    }
    out
}

fn event(message: &Value) -> String {
    format!("data: {message}\n\n")
}

#[tokio::test]
async fn a_task_is_learned_from_a_stream_however_it_is_cut() {
    let progress = event(&json!({"jsonrpc": "2.0", "method": "notifications/progress"}));
    for (shape, ending) in [(LEGACY, "\n"), (MODERN, "\r\n")] {
        let text =
            format!("{progress}: note\n\n{}", event(&began(shape, "t"))).replace('\n', ending);
        for size in [1, 7, 1000] {
            let layer = TaskOwnerLayer::in_memory();
            let frames: Vec<_> = text.as_bytes().chunks(size).collect();
            let out = streamed(&layer, &user("ann"), call(shape), &frames).await;
            assert_eq!(out.concat(), text.as_bytes(), "{size}");
            let get = || about("tasks/get", LEGACY, "t");
            opens(&layer, &user("ann"), get()).await.unwrap();
            assert!(opens(&layer, &user("bob"), get()).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_resumed_teaches_of_tasks_and_tells_of_no_others() {
    let layer = TaskOwnerLayer::in_memory();
    begin(&layer, "bob", "b").await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tasks": [
        {"taskId": "b"}, {"taskId": "a"},
    ]}});
    let text = event(&began(LEGACY, "a")) + &event(&list);
    let resumed = get_stream(LEGACY);
    let out = streamed(&layer, &user("ann"), resumed, &[text.as_bytes()]).await;
    let expected = event(&began(LEGACY, "a"))
        + &event(&json!({"id": 1, "jsonrpc": "2.0", "result": {"tasks": [{"taskId": "a"}]}}));
    assert_eq!(String::from_utf8(out.concat()).unwrap(), expected);
}

#[tokio::test]
async fn a_long_event_passes_in_pieces_and_the_task_that_it_begins_opens_for_nobody() {
    let layer = TaskOwnerLayer::in_memory().answer_bytes(1024).unwrap();
    let mut long = began(LEGACY, "t");
    long["result"]["_meta"] = json!({"x": "x".repeat(2000)});
    let text = event(&long) + &event(&began(LEGACY, "u"));
    let frames: Vec<_> = text.as_bytes().chunks(100).collect();
    let out = streamed(&layer, &user("ann"), call(LEGACY), &frames).await;
    assert_eq!(out.concat(), text.as_bytes());
    assert!(out.len() > 5, "it did not wait for the end");
    assert!(
        opens(&layer, &user("ann"), about("tasks/get", LEGACY, "t"))
            .await
            .is_err()
    );
    opens(&layer, &user("ann"), about("tasks/get", LEGACY, "u"))
        .await
        .unwrap();

    // On a stream that is resumed it could be a list, of which nothing is told.
    for size in [1, 100, 10_000] {
        let frames: Vec<_> = text.as_bytes().chunks(size).collect();
        let out = streamed(&layer, &user("ann"), get_stream(LEGACY), &frames).await;
        let out = String::from_utf8(out.concat()).unwrap();
        let next = event(&began(LEGACY, "u"));
        let cut = out.strip_suffix(&next).unwrap();
        assert!(!cut.contains("\"t\""), "{size}: {cut}");
        assert!(cut.is_empty() || cut.ends_with("\n\n"), "{size}: {cut}");
    }
}

#[tokio::test]
async fn an_event_that_never_ends_teaches_nothing() {
    let layer = TaskOwnerLayer::in_memory();
    let text = event(&began(LEGACY, "t"));
    let open = &text.as_bytes()[..text.len() - 1];
    streamed(&layer, &user("ann"), call(LEGACY), &[open]).await;
    assert!(
        opens(&layer, &user("ann"), about("tasks/get", LEGACY, "t"))
            .await
            .is_err()
    );
    assert!(
        streamed(&layer, &user("ann"), get_stream(LEGACY), &[open])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_task_whose_time_is_written_otherwise_opens_and_one_whose_id_is_unreadable_does_not_leave()
 {
    let layer = TaskOwnerLayer::in_memory();
    for (id, ttl) in [
        ("a", json!(60_000.0)),
        ("b", json!(-1)),
        ("c", json!("1 h")),
    ] {
        let mut message = began(LEGACY, id);
        message["result"]["task"]["ttl"] = ttl;
        let text = event(&message);
        let out = streamed(&layer, &user("ann"), call(LEGACY), &[text.as_bytes()]).await;
        assert_eq!(out.concat(), text.as_bytes());
        opens(&layer, &user("ann"), about("tasks/get", LEGACY, id))
            .await
            .unwrap();
    }
    let mut message = began(LEGACY, "d");
    message["result"]["task"]["taskId"] = json!(["d"]);
    let text = event(&message);
    let out = streamed(&layer, &user("ann"), call(LEGACY), &[text.as_bytes()]).await;
    let out = String::from_utf8(out.concat()).unwrap();
    assert!(
        out.contains("\"error\"") && !out.contains("taskId"),
        "{out}"
    );
}

#[tokio::test]
async fn ta_9_a_resumed_stream_that_cannot_be_read_does_not_leave() {
    let layer = TaskOwnerLayer::in_memory();
    begin(&layer, "bob", "b").await;
    let list = event(&json!({"jsonrpc": "2.0", "id": 1, "result": {"tasks": [{"taskId": "b"}]}}));
    for (media, coding) in [
        (&["text/event-stream"][..], "gzip"),
        (&["text/event-stream", "text/event-stream"], "identity"),
        (&["text/plain, text/event-stream"], "identity"),
    ] {
        let mut answer = Response::new(Full::new(Bytes::from(list.clone())));
        for media in media {
            answer
                .headers_mut()
                .append("content-type", media.parse().unwrap());
        }
        answer
            .headers_mut()
            .insert("content-encoding", coding.parse().unwrap());
        let request = by(&user("ann"), get_stream(LEGACY));
        let answer = answered(&layer, request, answer).await;
        assert_eq!(
            kind(&answer),
            Some(DenialKind::Internal),
            "{media:?} {coding}"
        );
    }
}

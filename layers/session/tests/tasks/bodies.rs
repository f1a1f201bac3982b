//! How the bodies of streams come to their end, and what waits for a store.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bartizan_core::ResponseBody;
use bartizan_kit::{McpRequest, get_stream};
use bartizan_session::{OwnerKey, Reply, TaskBody, TaskKey, TaskOwners, Unclaimed};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::{LEGACY, TaskOwnerLayer, began, by, call, user};

/// A body that must not be polled after its end.
#[derive(Clone)]
struct Strict(Option<VecDeque<Result<&'static str, &'static str>>>);

impl Body for Strict {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let frames = self.0.as_mut().expect("it is over");
        let frame = frames.pop_front();
        if frame.is_none_or(|frame| frame.is_err()) {
            self.0 = None;
        }
        Poll::Ready(frame.map(|frame| match frame? {
            "trailers" => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x", "y".parse().unwrap());
                Ok(Frame::trailers(trailers))
            }
            data => Ok(Frame::data(data.into())),
        }))
    }
}

type StrictBody = ResponseBody<ResponseBody<TaskBody<Strict>>>;

async fn stream(
    layer: &TaskOwnerLayer,
    request: McpRequest,
    frames: Vec<Result<&'static str, &'static str>>,
) -> StrictBody {
    let body = Strict(Some(frames.into()));
    let inner = service_fn(move |_: http::Request<_>| {
        let answer = Response::builder().header("content-type", "text/event-stream");
        let answer = answer.body(body.clone()).unwrap();
        async move { Ok::<_, Infallible>(answer) }
    });
    let Ok(answer) = layer.layer(inner).oneshot(by(&user("ann"), request)).await;
    answer.into_body()
}

/// What is there at once; polls on for a while after the end.
fn at_once(body: StrictBody) -> Vec<String> {
    let mut body = pin!(body);
    let mut cx = Context::from_waker(Waker::noop());
    let mut said = Vec::new();
    let mut ends = 0;
    while ends < 3 {
        match body.as_mut().poll_frame(&mut cx) {
            Poll::Pending => {
                said.push("(waits)".to_owned());
                break;
            }
            Poll::Ready(None) => {
                ends += 1;
                assert!(body.is_end_stream());
            }
            Poll::Ready(Some(Err(_))) => said.push("(broken)".to_owned()),
            Poll::Ready(Some(Ok(frame))) => said.push(match frame.into_data() {
                Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                Err(_) => "(trailers)".to_owned(),
            }),
        }
    }
    said
}

#[tokio::test]
async fn a_body_is_not_asked_again_after_its_end_and_trailers_come_last() {
    let layer = TaskOwnerLayer::in_memory();
    let event = "data: {}\n\n";
    for (frames, expected) in [
        (vec![], &[][..]),
        (vec![Ok(event)], &[event]),
        (vec![Ok("data: x")], &["data: x"]),
        (vec![Ok(event), Ok("trailers")], &[event, "(trailers)"]),
        (
            vec![Ok("data: x"), Ok("trailers")],
            &["data: x", "(trailers)"],
        ),
        (vec![Ok("data: x"), Err("cut")], &["(broken)"]),
        (vec![Ok("trailers"), Ok(event)], &["(trailers)"]),
    ] {
        let out = at_once(stream(&layer, call(LEGACY), frames.clone()).await);
        assert_eq!(out, expected, "{frames:?}");
        let resumed = at_once(stream(&layer, get_stream(LEGACY), frames.clone()).await);
        let expected: Vec<_> = expected.iter().filter(|out| **out != "data: x").collect();
        assert_eq!(resumed, expected.into_iter().copied().collect::<Vec<_>>());
    }
}

/// A store that never says anything.
#[derive(Debug)]
struct Silent;

impl TaskOwners for Silent {
    fn claim(&self, _: TaskKey, _: OwnerKey, _: Duration) -> Reply<Result<(), Unclaimed>> {
        Reply::Later(Box::pin(pending()))
    }

    fn owned(&self, _: Vec<TaskKey>, _: OwnerKey) -> Reply<Result<Vec<bool>, Unclaimed>> {
        Reply::Later(Box::pin(pending()))
    }
}

#[tokio::test]
async fn what_was_judged_leaves_though_the_next_event_waits_for_a_store() {
    let layer = TaskOwnerLayer::new(Silent);
    let progress = format!("data: {}\n\n", json!({"method": "notifications/progress"}));
    let text = format!("{progress}data: {}\n\n", began(LEGACY, "t"));
    let frames = vec![Ok(&*text.leak())];
    let out = at_once(stream(&layer, call(LEGACY), frames).await);
    assert_eq!(out, [&*progress, "(waits)"]);
}

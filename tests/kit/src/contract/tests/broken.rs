use std::{convert::Infallible, pin::pin, sync::Arc};

use axum::extract;
use bartizan_core::{Denial, DenialKind, SecurityContext};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tower::{
    layer::{layer_fn, util::Identity},
    util::{MapErr, MapFuture, MapRequest, MapResponse},
};

use super::{
    breaking::{AlwaysReady, BareClone, OneAtATime, WaitingClone},
    discover,
    kept::GuardLayer,
    request,
};
use crate::{
    Frames, Scripted, ScriptedFuture, contract,
    contract::{Gate, InnerError, ReadyOnce, outcome},
};

type Inner = Scripted<InnerError>;
type InnerFuture = ScriptedFuture<InnerError>;

#[track_caller]
fn broken(outcome: contract::Outcome, how: &str) {
    let said = outcome.expect_err("the contract did not notice");
    assert!(said.contains(how), "noticed something else: {said}");
}

#[tokio::test(start_paused = true)]
async fn a_bare_clone_is_noticed() {
    let layer = layer_fn(BareClone::<ReadyOnce>);
    let check = outcome(contract::readiness(layer, request)).await;
    broken(
        check,
        "4 of 4 calls went to an instance that was not polled ready",
    );
    let check = outcome(contract::permits(layer_fn(BareClone), request)).await;
    broken(check, "panicked: ");
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_kept_by_the_original_is_noticed() {
    let check = outcome(contract::permits(layer_fn(WaitingClone), request)).await;
    broken(check, "nothing happened");
}

#[tokio::test(start_paused = true)]
async fn made_up_readiness_is_noticed() {
    let check = outcome(contract::readiness_states(layer_fn(AlwaysReady), request)).await;
    broken(check, "ready although the inner service is not");
    let check = outcome(contract::readiness(layer_fn(AlwaysReady), request)).await;
    broken(check, "4 of 4 calls");
}

#[tokio::test(start_paused = true)]
async fn clones_that_wait_for_each_other_are_noticed() {
    let layer = layer_fn(|inner: Inner| OneAtATime(Arc::new(inner.into())));
    broken(
        outcome(contract::clones(layer, request)).await,
        "nothing happened",
    );
}

#[tokio::test(start_paused = true)]
async fn a_swallowed_error_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapFuture::new(inner, |future: InnerFuture| async move {
            let gone = |_| Response::builder().status(500).body(Frames::channel().1);
            Ok::<_, InnerError>(future.await.or_else(gone).unwrap())
        })
    });
    broken(
        outcome(contract::errors(layer, request)).await,
        "became an answer of 500",
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_error_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapFuture::new(inner, |future: InnerFuture| async move {
            future.await.map_err(|_| InnerError(0))
        })
    });
    broken(
        outcome(contract::errors(layer, request)).await,
        "came out as InnerError(0)",
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_readiness_error_is_noticed() {
    let layer = layer_fn(|inner: Gate| MapErr::new(inner, |_: InnerError| InnerError(0)));
    let check = outcome(contract::readiness_states(layer, request)).await;
    broken(check, "error 8 came out as InnerError(0)");
}

#[tokio::test(start_paused = true)]
async fn a_changed_head_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapResponse::new(inner, |mut response: Response<Frames>| {
            *response.status_mut() = StatusCode::OK;
            response
        })
    });
    broken(
        outcome(contract::head(layer, request)).await,
        "status 207 became 200",
    );
    let layer = layer_fn(|inner: Inner| {
        MapResponse::new(inner, |response: Response<Frames>| {
            let (mut parts, body) = response.into_parts();
            parts.extensions.clear();
            Response::from_parts(parts, body)
        })
    });
    broken(
        outcome(contract::head(layer, request)).await,
        "lost its extensions",
    );
}

#[tokio::test(start_paused = true)]
async fn a_buffered_stream_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapFuture::new(inner, |future: InnerFuture| async move {
            let (parts, body) = future.await?.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Ok::<_, InnerError>(Response::from_parts(parts, Full::new(bytes)))
        })
    });
    broken(
        outcome(contract::frames(layer, request)).await,
        "nothing happened",
    );
}

#[tokio::test(start_paused = true)]
async fn lost_trailers_are_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapResponse::new(inner, |response: Response<Frames>| {
            response.map(|body| body.map_frame(|f| f.into_data().map_or_else(|_| empty(), data)))
        })
    });
    broken(
        outcome(contract::frames(layer, request)).await,
        "the trailers came out as",
    );
}

fn empty() -> http_body::Frame<Bytes> {
    data(Bytes::new())
}

fn data(bytes: Bytes) -> http_body::Frame<Bytes> {
    http_body::Frame::data(bytes)
}

#[tokio::test(start_paused = true)]
async fn a_break_that_is_glossed_over_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapResponse::new(inner, |response: Response<Frames>| {
            response.map(Pump::start)
        })
    });
    broken(
        outcome(contract::broken_body(layer, request)).await,
        "a clean end",
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_its_caller_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapFuture::new(inner, |future: InnerFuture| {
            let task = tokio::spawn(future);
            async move { task.await.unwrap() }
        })
    });
    let check = outcome(contract::dropped_call(layer, request)).await;
    broken(check, "the inner future lives on");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_outlives_its_reader_is_noticed() {
    let layer = layer_fn(|inner: Inner| {
        MapResponse::new(inner, |response: Response<Frames>| {
            response.map(Pump::start)
        })
    });
    let check = outcome(contract::dropped_body(layer, request)).await;
    broken(check, "the inner body lives on");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_outlives_its_connection_is_noticed() {
    let layer = layer_fn(|inner: crate::Sse| {
        MapResponse::new(inner, |response: Response<Frames>| {
            response.map(Pump::start)
        })
    });
    let check = contract::bare_hyper_1(Identity::new(), layer, request);
    broken(outcome(check).await, "nothing happened");
}

/// A body that a task pumps over, ending at the first error.
struct Pump;

impl Pump {
    fn start(body: Frames) -> Frames {
        let (sender, pumped) = Frames::channel();
        tokio::spawn(async move {
            let mut body = pin!(body);
            while let Some(Ok(frame)) = body.frame().await {
                sender.data(frame.into_data().unwrap_or_default());
            }
        });
        pumped
    }
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_body_is_noticed() {
    let layer = layer_fn(|inner| {
        MapRequest::new(inner, |request: Request<Full<Bytes>>| {
            request.map(|_| Full::from("{ }"))
        })
    });
    let check = outcome(contract::request_body(layer, request, |full| full)).await;
    broken(check, "arrived as");
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_body_is_noticed_under_every_host() {
    fn rewrite<S>(inner: S) -> MapRequest<S, fn(extract::Request) -> extract::Request> {
        MapRequest::new(inner, |request| request.map(|_| "{ }".into()))
    }
    let check = outcome(contract::router_layer(layer_fn(rewrite), request)).await;
    broken(check, "arrived as");
    let check = outcome(contract::route_layer(layer_fn(rewrite), request)).await;
    broken(check, "arrived as");
    let check = outcome(contract::nest_service(layer_fn(rewrite), request)).await;
    broken(check, "arrived as");

    let empty = layer_fn(|inner| {
        MapRequest::new(inner, |request: Request<Incoming>| {
            request.map(|_| Full::default())
        })
    });
    let check = contract::bare_hyper_1(empty, Identity::new(), request);
    broken(outcome(check).await, "arrived as");
    broken(
        outcome(contract::bare_hyper_2(empty, request)).await,
        "arrived as",
    );
}

#[tokio::test(start_paused = true)]
async fn a_hidden_length_is_noticed() {
    let layer = layer_fn(|inner| {
        MapResponse::new(inner, |response: Response<Full<Bytes>>| {
            response.map(|body| body.map_frame(|frame| frame))
        })
    });
    let check = contract::response_body(layer, request, contract::full);
    broken(outcome(check).await, "tells a length of None");
}

#[tokio::test(start_paused = true)]
async fn a_refused_admission_is_noticed() {
    let refused = || discover().header("x-refuse", "1").build();
    let check = outcome(contract::readiness(GuardLayer, refused)).await;
    broken(check, "the admitted request was refused with 403");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_lets_the_call_through_or_is_none_is_noticed() {
    broken(
        outcome(contract::refusal(GuardLayer, request)).await,
        "arrived",
    );
    let layer = layer_fn(|_: crate::Echo| {
        tower::service_fn(|_: Request<Full<Bytes>>| async {
            let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":403,"message":"no"}}"#;
            let context = SecurityContext::default();
            let denial = Denial::new(DenialKind::OriginRefused, "");
            let ours = denial.into_response::<Full<Bytes>>(&context);
            Ok::<_, Infallible>(ours.map(|_| Full::from(body)))
        })
    });
    broken(
        outcome(contract::refusal(layer, request)).await,
        "a null id",
    );
}

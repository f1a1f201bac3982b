use std::{fmt::Debug, future::poll_fn, pin::Pin, task::Poll};

use bartizan_core::Denial;
use http::Response;
use tower_service::Service;

use super::Outcome;
use crate::{Exchange, Exchanges};

/// Polls a future once.
pub(super) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Waits until a service is ready.
pub(super) async fn ready<S, Q>(service: &mut S) -> Outcome
where
    S: Service<Q>,
    S::Error: Debug,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(|error| format!("not ready: {error:?}"))
}

/// Polls a call until it reaches the inner service.
pub(super) async fn started<F, R, E, X>(
    call: Pin<&mut F>,
    exchanges: &mut Exchanges<X>,
) -> Result<Exchange<X>, String>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Debug,
{
    tokio::select! {
        biased;
        exchange = exchanges.next() => Ok(exchange),
        answer = call => {
            admitted(answer)?;
            Err("answered before the inner service did".to_owned())
        }
    }
}

/// The answer to the admitted request, which must not be a refusal.
pub(super) fn admitted<R, E: Debug>(answer: Result<Response<R>, E>) -> Result<Response<R>, String> {
    let response = answer.map_err(|error| format!("an error for an answer: {error:?}"))?;
    match response.extensions().get::<Denial>() {
        None => Ok(response),
        Some(denial) => Err(format!(
            "the admitted request was refused with {}: {}",
            response.status(),
            denial.reason()
        )),
    }
}

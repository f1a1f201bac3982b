//! What every layer owes its inner service and its caller, as checks that anybody can run.
//!
//! [`layer_contract!`](crate::layer_contract) makes a test of each; each is also a function that
//! tells what is wrong, so that the contract can be tried on layers that break it.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    time::Duration,
};

mod bodies;
mod clones;
mod drive;
mod hosts;
mod inner;
mod passage;
mod readiness;
mod refusal;
#[cfg(test)]
mod tests;

pub use bodies::{EchoAs, axum, boxed, full, request_body, response_body, unsync};
pub use clones::{Twice, clones, threads};
pub use hosts::{bare_hyper_1, bare_hyper_2, nest_service, route_layer, router_layer};
pub use inner::{Awkward, AwkwardError, Gate, InnerError, ReadyOnce};
pub use passage::{broken_body, dropped_body, dropped_call, errors, frames, head};
pub use readiness::{permits, readiness, readiness_states};
pub use refusal::refusal;

/// Kept, or how it is broken.
pub type Outcome = Result<(), String>;

/// How long one check may take. A layer that waits for what never comes fails by this.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a module of tests out of a layer and a request that it admits.
///
/// The layer expression is evaluated anew for each test, inside a runtime, so it may `.await`.
/// The request is a `Request<Full<Bytes>>`, made anew each time. Extensions that a server would
/// set, such as the peer's address, come with it. A third closure gives a request that the layer
/// refuses, and adds a test of the refusal's form.
///
/// ```
/// use bartizan_kit::{Revision, layer_contract, post};
/// use serde_json::json;
///
/// layer_contract!(
///     identity,
///     || tower::layer::util::Identity::new(),
///     || post(Revision::V2026_07_28, "server/discover", json!({})).build()
/// );
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! layer_contract {
    ($name:ident, || $layer:expr, || $admitted:expr $(, || $refused:expr)? $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "the expressions may need nothing from outside")]
            use super::*;
            use $crate::contract as check;

            #[test]
            fn an_inner_service_is_called_on_the_instance_that_was_ready() {
                check::run(async { check::readiness($layer, || $admitted).await });
            }

            #[test]
            fn a_concurrency_permit_is_held_while_the_call_runs() {
                check::run(async { check::permits($layer, || $admitted).await });
            }

            #[test]
            fn pending_and_failed_readiness_pass_through() {
                check::run(async { check::readiness_states($layer, || $admitted).await });
            }

            #[test]
            fn clones_work_independently() {
                check::run(async { check::clones($layer, || $admitted).await });
            }

            #[test]
            fn the_inner_error_passes_untouched() {
                check::run(async { check::errors($layer, || $admitted).await });
            }

            #[test]
            fn the_inner_head_passes_untouched() {
                check::run(async { check::head($layer, || $admitted).await });
            }

            #[test]
            fn frames_pass_one_by_one() {
                check::run(async { check::frames($layer, || $admitted).await });
            }

            #[test]
            fn a_broken_body_stays_broken() {
                check::run(async { check::broken_body($layer, || $admitted).await });
            }

            #[test]
            fn a_dropped_call_drops_the_inner_future() {
                check::run(async { check::dropped_call($layer, || $admitted).await });
            }

            #[test]
            fn a_dropped_body_drops_the_inner_body() {
                check::run(async { check::dropped_body($layer, || $admitted).await });
            }

            #[test]
            fn it_works_under_router_layer() {
                check::run(async { check::router_layer($layer, || $admitted).await });
            }

            #[test]
            fn it_works_under_route_layer() {
                check::run(async { check::route_layer($layer, || $admitted).await });
            }

            #[test]
            fn it_works_under_nest_service() {
                check::run(async { check::nest_service($layer, || $admitted).await });
            }

            #[test]
            fn it_works_under_bare_hyper_over_http_2() {
                check::run(async { check::bare_hyper_2($layer, || $admitted).await });
            }

            #[test]
            fn it_works_under_bare_hyper_over_http_1() {
                check::run(async { check::bare_hyper_1($layer, $layer, || $admitted).await });
            }

            #[test]
            fn it_goes_where_threads_go() {
                check::run(async {
                    check::threads(&$layer);
                    Ok(())
                });
            }

            #[test]
            fn every_request_body_arrives_byte_for_byte() {
                use $crate::__private::{BodyExt as _, axum};
                check::run(async {
                    check::request_body($layer, || $admitted, |full| full).await?;
                    check::request_body($layer, || $admitted, axum::body::Body::new).await?;
                    check::request_body($layer, || $admitted, |full| full.boxed()).await?;
                    check::request_body($layer, || $admitted, check::Awkward::of).await
                });
            }

            #[test]
            fn every_response_body_comes_out_byte_for_byte() {
                check::run(async {
                    check::response_body($layer, || $admitted, check::full).await?;
                    check::response_body($layer, || $admitted, check::axum).await?;
                    check::response_body($layer, || $admitted, check::boxed).await?;
                    check::response_body($layer, || $admitted, check::unsync).await
                });
            }

            #[test]
            fn it_stacks_on_itself() {
                check::run(async {
                    let twice = check::Twice($layer, $layer);
                    check::request_body(twice, || $admitted, check::Awkward::of).await?;
                    check::readiness(check::Twice($layer, $layer), || $admitted).await?;
                    check::frames(check::Twice($layer, $layer), || $admitted).await
                });
            }
            $(
                #[test]
                fn a_refusal_has_the_common_form() {
                    check::run(async { check::refusal($layer, || $refused).await });
                }
            )?
        }
    };
}

/// Runs a check to its outcome; a panic or a standstill is a broken contract too.
pub async fn outcome(check: impl Future<Output = Outcome>) -> Outcome {
    let mut check = pin!(check);
    let caught = poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| check.as_mut().poll(cx))) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(format!("panicked: {}", text_of(&*panic)))),
        },
    );
    tokio::time::timeout(PATIENCE, caught)
        .await
        .unwrap_or_else(|_| Err(format!("nothing happened for {PATIENCE:?}")))
}

/// Runs a check as a test.
#[doc(hidden)]
pub fn run(check: impl Future<Output = Outcome>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let Err(broken) = runtime.block_on(outcome(check)) {
        panic!("the layer contract is broken: {broken}");
    }
}

fn ensure(kept: bool, broken: impl FnOnce() -> String) -> Outcome {
    if kept { Ok(()) } else { Err(broken()) }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "with something unprintable".to_owned(),
    }
}

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bartizan_core::{Events, RequestBody, SecurityContext, Verdict};
use bartizan_rbac::{Policy, PolicyHandle, RbacLayer, Rule};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::common::{Caller, post};

/// The one lets viewers use `x` and see it, the other does not.
fn open() -> Arc<Policy> {
    let policy = Policy::enterprise().rule(Rule::tool("x").role("viewer"));
    Arc::new(policy.version("open").build().unwrap())
}

fn closed() -> Arc<Policy> {
    let policy = Policy::enterprise().rule(Rule::tool("x").deny());
    Arc::new(policy.version("closed").build().unwrap())
}

fn request(method: &str) -> (Request<Full<Bytes>>, SecurityContext) {
    let mut request = post(method, json!({"name": "x"}));
    let context = SecurityContext::of(&mut request);
    context.open_trail();
    let viewer = Caller::user(&["viewer"], &[]).principal.unwrap();
    context.set_principal(viewer).unwrap();
    (request, context)
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x"}]}}"#;

/// How many requests were decided by each.
#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    closed: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_of_two_threads_each_request_is_decided_by_one_version_and_none_fails() {
    const REQUESTS: usize = 4000;
    let handle = PolicyHandle::new(open());
    let layer = RbacLayer::with_handle(handle.clone());
    let is_over = Arc::new(AtomicBool::new(false));
    let counts = Arc::new(Counts::default());
    let workers: Vec<_> = (0..2)
        .map(|worker| {
            let (layer, counts) = (layer.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                for round in 0..REQUESTS {
                    judge_one(&layer, &counts, (round + worker) % 2 == 0).await;
                }
            })
        })
        .collect();
    let swapping = std::thread::spawn({
        let (is_over, policies) = (Arc::clone(&is_over), [closed(), open()]);
        move || {
            let swaps = policies
                .iter()
                .cycle()
                .map(|policy| handle.swap(Arc::clone(policy)));
            swaps
                .take_while(|_| !is_over.load(Ordering::Acquire))
                .count()
        }
    });
    for worker in workers {
        worker.await.unwrap();
    }
    is_over.store(true, Ordering::Release);
    let swaps = swapping.join().unwrap();
    let (open, closed) = (
        counts.open.load(Ordering::Relaxed),
        counts.closed.load(Ordering::Relaxed),
    );
    assert_eq!(open + closed, 2 * REQUESTS);
    assert!(
        open > 0 && closed > 0 && swaps > 100,
        "{open} {closed} {swaps}"
    );
}

/// Two layers of one handle, as the outer and inner ones of a stack, with swaps in between.
async fn judge_one(layer: &RbacLayer, counts: &Counts, is_call: bool) {
    let inner = layer.layer(service_fn(
        |_: Request<RequestBody<RequestBody<Full<Bytes>>>>| async {
            tokio::task::yield_now().await;
            let answer = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(answer.body(Full::from(LIST)).unwrap())
        },
    ));
    let (request, context) = request(if is_call { "tools/call" } else { "tools/list" });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let findings = context.trail().unwrap().findings();
    let versions: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Noted)
        .map(|finding| {
            let version = finding.reason.split('`').nth(1);
            let known = ["closed", "open"]
                .iter()
                .position(|known| version == Some(*known));
            known.unwrap() == 1
        })
        .collect();
    let is_open = versions[0];
    assert!(
        versions.iter().all(|version| *version == is_open),
        "{findings:?}"
    );
    let shows = String::from_utf8_lossy(&body).contains("\"x\"");
    let expected = if is_call && !is_open { 403 } else { 200 };
    assert_eq!(
        (status.as_u16(), shows),
        (expected, is_open),
        "{findings:?}"
    );
    let count = if is_open {
        &counts.open
    } else {
        &counts.closed
    };
    count.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test]
async fn a_request_stays_with_the_policy_that_judged_it_until_its_answer_is_over() {
    let handle = PolicyHandle::new(open());
    let layer = RbacLayer::with_handle(handle.clone());
    let seen = Mutex::new(None);
    let service = layer.layer(service_fn(|request: Request<RequestBody<Full<Bytes>>>| {
        handle.swap(closed());
        let context = SecurityContext::find(request.extensions()).unwrap();
        let permissions = Arc::clone(context.permissions().unwrap());
        let viewer = context.principal().unwrap();
        *seen.lock().unwrap() = Some(permissions.has_role(viewer, "viewer"));
        async {
            let answer = Response::builder().header("content-type", "application/json");
            Ok::<_, Infallible>(answer.body(Full::from(LIST)).unwrap())
        }
    }));
    let ask = || async {
        let answer = service
            .clone()
            .oneshot(request("tools/list").0)
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8_lossy(&body).contains("\"x\"")
    };
    assert!(ask().await, "judged by the policy before");
    assert!(!ask().await, "judged by the policy after");
    assert_eq!(*seen.lock().unwrap(), Some(true));
}

#[test]
fn a_swap_is_an_event_that_names_both_versions() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let handle = PolicyHandle::with_events(
        open(),
        Events::to(move |event| {
            sink.lock()
                .unwrap()
                .push((event.kind, event.detail.to_string()));
        }),
    );
    assert_eq!(handle.swap(closed()).version(), "open");
    let expected = "policy `closed` took the place of `open`".to_owned();
    assert_eq!(*events.lock().unwrap(), [("policy_swapped", expected)]);
}

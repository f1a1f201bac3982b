//! What becomes of a request or an answer by what a store of owners says, at once or later.

use std::time::Duration;

use bartizan_core::{DenialKind, FakeClock};
use bartizan_kit::post;
use bartizan_session::{MemoryOwners, OwnerKey, Reply, TaskKey, TaskOwners, Unclaimed};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    LEGACY, MODERN, TaskOwnerLayer, about, answered, as_json, began, begin, by, call, kind, opens,
    text, user,
};

/// A store that says everything later, and may be down.
#[derive(Debug, Default)]
struct Slow {
    kept: MemoryOwners,
    down: bool,
}

impl Slow {
    fn later<T: Send + 'static>(
        &self,
        reply: Reply<Result<T, Unclaimed>>,
    ) -> Reply<Result<T, Unclaimed>> {
        let down = self.down;
        Reply::Later(Box::pin(async move {
            tokio::task::yield_now().await;
            match reply {
                Reply::Now(reply) if !down => reply,
                _ => Err(Unclaimed::Down),
            }
        }))
    }
}

impl TaskOwners for Slow {
    fn claim(&self, t: TaskKey, o: OwnerKey, life: Duration) -> Reply<Result<(), Unclaimed>> {
        self.later(self.kept.claim(t, o, life))
    }

    fn owned(&self, t: Vec<TaskKey>, o: OwnerKey) -> Reply<Result<Vec<bool>, Unclaimed>> {
        self.later(self.kept.owned(t, o))
    }
}

fn as_event(message: &Value) -> Response<Full<Bytes>> {
    let text = format!("id: 4\ndata: {message}\n\n");
    let answer = Response::builder().header("content-type", "text/event-stream");
    answer.body(Full::new(text.into())).unwrap()
}

#[tokio::test]
async fn a_store_that_has_to_be_waited_for_decides_alike() {
    let layer = TaskOwnerLayer::new(Slow::default());
    for (task, answer) in [
        ("j", as_json(&began(MODERN, "j"))),
        ("e", as_event(&began(LEGACY, "e"))),
    ] {
        let answer = answered(&layer, by(&user("ann"), call(MODERN)), answer).await;
        assert!(text(answer).await.contains(task));
        let get = || about("tasks/get", MODERN, task);
        opens(&layer, &user("ann"), get()).await.unwrap();
        assert!(opens(&layer, &user("bob"), get()).await.is_err());
    }
    let list = json!({"id": 1, "jsonrpc": "2.0", "result": {"tasks": [{"taskId": "j"}]}});
    for (who, shows) in [("ann", true), ("bob", false)] {
        for answer in [as_json(&list), as_event(&list)] {
            let request = by(&user(who), post(LEGACY, "tasks/list", json!({})));
            let answer = answered(&layer, request, answer).await;
            assert_eq!(text(answer).await.contains("taskId"), shows);
        }
    }
}

#[tokio::test]
async fn ac_16_a_store_that_is_down_opens_nothing_and_begins_nothing() {
    let layer = TaskOwnerLayer::new(Slow {
        down: true,
        ..Slow::default()
    });
    let list = json!({"id": 1, "jsonrpc": "2.0", "result": {"tasks": [{"taskId": "t"}]}});
    for (request, answer) in [
        (call(MODERN), as_json(&began(MODERN, "t"))),
        (about("tasks/get", MODERN, "t"), as_json(&json!({}))),
        (post(LEGACY, "tasks/list", json!({})), as_json(&list)),
    ] {
        let answer = answered(&layer, by(&user("ann"), request), answer).await;
        assert_eq!(kind(&answer), Some(DenialKind::Unavailable));
        assert!(!text(answer).await.contains("taskId"));
    }
    let request = by(&user("ann"), call(LEGACY).id("x"));
    let answer = answered(&layer, request, as_event(&began(LEGACY, "t"))).await;
    let text = text(answer).await;
    let data = text.strip_prefix("id: 4\ndata: ").unwrap();
    let message: Value = serde_json::from_str(data).unwrap();
    assert_eq!(message["error"]["code"], 503);
    assert_eq!(message["id"], 1, "that of the answer");
    assert!(message.get("result").is_none());
}

#[tokio::test]
async fn se_6_without_room_a_call_is_not_told_of_its_task() {
    let clock = FakeClock::at(Duration::ZERO);
    let owners = MemoryOwners::with_clock(3, 2, clock.clone()).unwrap();
    let layer = TaskOwnerLayer::new(owners);
    begin(&layer, "ann", "a1").await;
    begin(&layer, "ann", "a2").await;
    let began_by = async |who: &str, task: &str| {
        let begun = as_json(&began(MODERN, task));
        answered(&layer, by(&user(who), call(MODERN)), begun).await
    };
    let answer = began_by("ann", "a3").await;
    assert_eq!(kind(&answer), Some(DenialKind::RateLimited));
    // A task of a minute is remembered for an hour more.
    assert_eq!(answer.headers()["retry-after"], "3660");
    begin(&layer, "bob", "b1").await;
    let answer = began_by("cid", "c1").await;
    assert_eq!(kind(&answer), Some(DenialKind::Unavailable));
    let answer = began_by("bob", "a1").await;
    assert_eq!(kind(&answer), Some(DenialKind::Internal), "it is taken");
    assert!(!text(answer).await.contains("taskId"));
    for (who, task) in [("ann", "a1"), ("ann", "a2"), ("bob", "b1")] {
        opens(&layer, &user(who), about("tasks/get", MODERN, task))
            .await
            .unwrap();
    }
    clock.advance(Duration::from_secs(3660));
    begin(&layer, "cid", "c1").await;
    assert!(
        opens(&layer, &user("ann"), about("tasks/get", MODERN, "a1"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_owner_is_remembered_for_the_lifetime_at_most() {
    let day = Duration::from_secs(24 * 3600);
    for (lifetime, shape, lasts) in [
        (day, LEGACY, day),
        (day, MODERN, Duration::from_secs(3660)),
        (Duration::from_secs(60), MODERN, Duration::from_secs(60)),
    ] {
        let clock = FakeClock::at(Duration::ZERO);
        let owners = MemoryOwners::with_clock(9, 9, clock.clone()).unwrap();
        let layer = TaskOwnerLayer::new(owners).lifetime(lifetime).unwrap();
        let begun = as_json(&began(shape, "t"));
        answered(&layer, by(&user("ann"), call(shape)), begun).await;
        let get = || about("tasks/get", MODERN, "t");
        clock.advance(lasts - Duration::from_nanos(1));
        opens(&layer, &user("ann"), get()).await.unwrap();
        clock.advance(Duration::from_nanos(1));
        assert!(opens(&layer, &user("ann"), get()).await.is_err());
    }
}

//! Owners of tasks that nodes share, over a real Redis.
//!
//! `scripts/setup.sh` installs it. Without it these tests say that they were skipped; with `CI=true` that is
//! a failure.
#![cfg(feature = "redis")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests, helpers included"
)]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bartizan_core::{Denial, DenialKind, Event, Events, Principal, identify};
use bartizan_kit::{McpRequest, RedisServer, Revision, call_tool, post};
use bartizan_redis::Redis;
use bartizan_session::{
    OwnerKey, RedisOwners, Reply, TaskKey, TaskOwnerLayer, TaskOwners, Unclaimed,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

#[path = "redis/wrong_values.rs"]
mod wrong_values;

const REVISION: Revision = Revision::V2025_11_25;
const HOUR: Duration = Duration::from_secs(3600);

fn owners(server: &RedisServer) -> RedisOwners {
    let redis = Redis::builder(&server.url())
        .connect_timeout(Duration::from_millis(300))
        .response_timeout(Duration::from_millis(300));
    RedisOwners::new(redis.build().unwrap())
}

fn owner(subject: &str) -> OwnerKey {
    OwnerKey::of(&Principal::user("i", subject).build("test"))
}

async fn said<T>(reply: Reply<T>) -> T {
    match reply {
        Reply::Now(said) => said,
        Reply::Later(later) => later.await,
    }
}

async fn claim(
    owners: &RedisOwners,
    task: &str,
    subject: &str,
    life: Duration,
) -> Result<(), Unclaimed> {
    said(owners.claim(TaskKey::of(task), owner(subject), life)).await
}

async fn owned(owners: &RedisOwners, tasks: &[&str], subject: &str) -> Vec<bool> {
    let tasks = tasks.iter().map(|task| TaskKey::of(task)).collect();
    said(owners.owned(tasks, owner(subject))).await.unwrap()
}

/// The status of an answer of a server that begins a task whatever it is asked.
async fn ask(layer: &TaskOwnerLayer, who: &str, request: McpRequest) -> Result<(), DenialKind> {
    let mut request = request.build();
    identify(&mut request, Principal::user("i", who).build("test")).unwrap();
    let begun = json!({"jsonrpc": "2.0", "id": 1, "result": {"task": {"taskId": "t"}}});
    let inner = service_fn(move |_: Request<_>| {
        let answer = Response::builder().header("content-type", "application/json");
        let answer = answer.body(Full::<Bytes>::from(begun.to_string())).unwrap();
        async { Ok::<_, Infallible>(answer) }
    });
    let Ok(answer) = layer.layer(inner).oneshot(request).await;
    match answer.extensions().get::<Denial>() {
        Some(denial) => Err(denial.kind()),
        None => Ok(()),
    }
}

fn get() -> McpRequest {
    post(REVISION, "tasks/get", json!({"taskId": "t"}))
}

fn call() -> McpRequest {
    call_tool(REVISION, "slow", json!({}))
}

#[tokio::test]
async fn a_task_that_one_node_learned_of_opens_on_another_for_its_owner_alone() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let [one, two] = [0; 2].map(|_| TaskOwnerLayer::new(owners(&server)));
    assert_eq!(ask(&two, "ann", get()).await, Err(DenialKind::TaskUnknown));
    ask(&one, "ann", call()).await.unwrap();
    ask(&two, "ann", get()).await.unwrap();
    assert_eq!(ask(&two, "bob", get()).await, Err(DenialKind::TaskUnknown));
    // Neither ids nor names stand in Redis.
    let keys = server.command(&["KEYS", "*"]);
    assert!(keys.contains("bartizan:tasks:t:"), "{keys}");
    assert!(!keys.contains("ann"), "{keys}");
}

#[tokio::test]
async fn of_two_nodes_that_claim_one_task_for_two_owners_one_gets_it() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let [one, two] = [0; 2].map(|_| owners(&server));
    for round in 0..50 {
        let task = format!("t{round}");
        let (ann, bob) = tokio::join!(
            claim(&one, &task, "ann", HOUR),
            claim(&two, &task, "bob", HOUR)
        );
        let taken = [ann, bob].map(|claimed| claimed == Err(Unclaimed::Taken));
        assert_eq!(
            taken.iter().filter(|taken| **taken).count(),
            1,
            "{ann:?} {bob:?}"
        );
        for (subject, is_taken) in ["ann", "bob"].into_iter().zip(taken) {
            assert_eq!(owned(&one, &[&task], subject).await, [!is_taken]);
        }
    }
}

#[tokio::test]
async fn se_6_one_owner_has_no_more_than_its_share_and_time_gives_it_back() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let owners = owners(&server).share(2).unwrap();
    let short = Duration::from_millis(400);
    claim(&owners, "a1", "ann", short).await.unwrap();
    claim(&owners, "a2", "ann", HOUR).await.unwrap();
    let Err(Unclaimed::Share(wait)) = claim(&owners, "a3", "ann", HOUR).await else {
        panic!("it is beyond the share");
    };
    assert!(wait <= short, "{wait:?}");
    claim(&owners, "b1", "bob", HOUR).await.unwrap();
    claim(&owners, "a2", "ann", HOUR).await.unwrap();
    assert_eq!(
        owned(&owners, &["a1", "b1", "a2", "x"], "ann").await,
        [true, false, true, false]
    );
    tokio::time::sleep(short + Duration::from_millis(50)).await;
    claim(&owners, "a3", "ann", HOUR).await.unwrap();
    assert_eq!(owned(&owners, &["a1", "a3"], "ann").await, [false, true]);
    // Nothing stays for ever.
    for key in server.command(&["KEYS", "*"]).lines() {
        let life = server.command(&["PTTL", key.trim()]);
        let millis: i64 = life
            .trim()
            .trim_start_matches("(integer) ")
            .parse()
            .unwrap();
        assert!((1..=3_600_000).contains(&millis), "{key}: {life}");
    }
}

#[tokio::test]
async fn ac_16_while_redis_is_away_tasks_are_503_in_a_bounded_time_and_all_else_goes_on() {
    let Some(mut server) = RedisServer::start().await else {
        return;
    };
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let told = Events::to(move |event: &Event| sink.lock().unwrap().push(event.kind));
    let layer = TaskOwnerLayer::new(owners(&server).events(told));
    ask(&layer, "ann", call()).await.unwrap();

    let away = async || {
        for request in [get(), call()] {
            let begun = Instant::now();
            let refused = ask(&layer, "ann", request).await;
            assert_eq!(refused, Err(DenialKind::Unavailable));
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "{:?}",
                begun.elapsed()
            );
        }
        ask(&layer, "ann", post(REVISION, "ping", json!({})))
            .await
            .unwrap();
    };
    server.hang();
    away().await;
    server.go_on();
    let back = async || {
        let begun = Instant::now();
        while ask(&layer, "ann", call()).await.is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(15),
                "it never came back"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ask(&layer, "ann", get()).await.unwrap();
    };
    back().await;

    server.kill();
    away().await;
    server.restart().await;
    back().await;
    let events = events.lock().unwrap();
    assert_eq!(events[..2], ["task_owners_away", "task_owners_back"]);
    assert_eq!(events[2..4], ["task_owners_away", "task_owners_back"]);
}

#[tokio::test]
async fn what_stands_in_redis_under_a_tasks_key_and_is_no_owner_opens_nothing() {
    let Some(server) = RedisServer::start().await else {
        return;
    };
    let layer = TaskOwnerLayer::new(owners(&server));
    ask(&layer, "ann", call()).await.unwrap();
    let keys = server.command(&["KEYS", "bartizan:tasks:t:*"]);
    let key = keys.trim();
    for (command, refused) in [
        (&["SET", key, ""][..], DenialKind::TaskUnknown),
        (&["DEL", key], DenialKind::TaskUnknown),
        (&["RPUSH", key, "x"], DenialKind::TaskUnknown),
    ] {
        server.command(command);
        assert_eq!(ask(&layer, "ann", get()).await, Err(refused), "{command:?}");
    }
    // A key that holds something else can't be claimed either.
    assert_eq!(
        ask(&layer, "ann", call()).await,
        Err(DenialKind::Unavailable)
    );
}

#[test]
fn a_prefix_or_share_that_makes_no_sense_does_not_build() {
    let redis = Redis::builder("redis://127.0.0.1:1/").build().unwrap();
    let owners = || RedisOwners::new(redis.clone());
    for bad in ["", "a b", "ä", "a\n", &"x".repeat(65)] {
        assert!(owners().prefix(bad).is_err(), "{bad:?}");
    }
    assert!(owners().prefix("mcp-1:").is_ok());
    assert!(owners().share(0).is_err());
}

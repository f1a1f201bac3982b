//! Redis away, hanging, back, and back without its memory.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_refuses_answers_503_while_redis_is_away_and_follows_when_it_is_back() {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    let other = Node::join(&redis).await;
    let (good, bad) = (token("t1", 1), token("t2", 1));
    node.comes_to(&good, Verdict::Good).await;
    let until = node.in_an_hour();
    other
        .shared
        .revoke_credential(I, "t2", until)
        .await
        .unwrap();
    node.comes_to(&bad, Verdict::Revoked).await;

    redis.kill();
    let begun = Instant::now();
    node.comes_to(&good, Verdict::Unknown).await;
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(node.judge(&bad), Verdict::Revoked, "that is known");
    assert!(soon(|| node.told("revocations_out_of_touch") == 1).await);
    assert_eq!(node.told("revocations_not_followed"), 1);

    redis.restart().await;
    node.comes_to(&good, Verdict::Good).await;
    assert!(soon(|| node.told("revocations_in_touch") == 1).await);
    assert!(soon(|| other.told("revocations_loaded") == 2).await);
    other
        .shared
        .revoke_credential(I, "t1", until)
        .await
        .unwrap();
    node.comes_to(&good, Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_keeps_going_believes_on_while_redis_is_away_and_learns_what_it_missed() {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::KeepGoing(SECOND), |b| b);
    node.shared.loaded(10 * SECOND).await.unwrap();
    let (good, bad) = (token("t1", 1), token("t2", 1));
    let until = node.in_an_hour();
    node.shared.revoke_credential(I, "t2", until).await.unwrap();

    redis.kill();
    assert!(soon(|| node.told("revocations_out_of_touch") == 1).await);
    assert_eq!(node.judge(&good), Verdict::Good);
    assert_eq!(node.judge(&bad), Verdict::Revoked);
    // Revoked during the outage, here only, and whoever revokes is told.
    let revoking = node.shared.revoke_credential(I, "t3", until);
    let error = within(5 * SECOND, revoking).await.unwrap_err();
    assert!(error.holds_here() && !error.is_shared(), "{error}");
    assert_eq!(node.judge(&token("t3", 1)), Verdict::Revoked);

    redis.restart().await;
    let other = Node::join(&redis).await;
    assert_eq!(other.judge(&bad), Verdict::Revoked, "Redis remembers");
    other
        .shared
        .revoke_credential(I, "t1", until)
        .await
        .unwrap();
    node.comes_to(&good, Verdict::Revoked).await;
    assert!(soon(|| node.told("revocations_in_touch") == 1).await);
    // And the connection by which it revokes is another one too.
    let again = node.shared.revoke_credential(I, "t3", until);
    within(5 * SECOND, again).await.unwrap();
    other.comes_to(&token("t3", 1), Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_accepts_and_says_nothing_is_one_that_is_away() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    let good = token("t1", 1);
    node.comes_to(&good, Verdict::Good).await;
    redis.hang();
    let begun = Instant::now();
    node.comes_to(&good, Verdict::Unknown).await;
    assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
    let revoking = node.shared.revoke_credential(I, "t2", node.in_an_hour());
    let error = within(6 * SECOND, revoking).await.unwrap_err();
    assert!(error.holds_here() && !error.is_shared(), "{error}");
    assert!(soon(|| node.told("revocations_not_followed") == 1).await);
    redis.go_on();
    node.comes_to(&good, Verdict::Good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_believes_nobody_before_it_has_read_what_was_revoked() {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let a = Node::join(&redis).await;
    let bad = token("t1", 1);
    a.shared
        .revoke_credential(I, "t1", a.in_an_hour())
        .await
        .unwrap();
    redis.kill();
    let b = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    assert!(b.shared.loaded(SECOND / 2).await.is_err());
    assert_eq!(b.judge(&bad), Verdict::Unknown);
    redis.restart().await;
    b.shared.loaded(15 * SECOND).await.unwrap();
    assert_eq!(b.judge(&bad), Verdict::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_lost_its_memory_is_followed_and_running_nodes_keep_theirs() {
    let Some(mut redis) = RedisServer::start().await else {
        return;
    };
    let (a, b) = (Node::join(&redis).await, Node::join(&redis).await);
    let until = a.in_an_hour();
    a.shared.revoke_credential(I, "t1", until).await.unwrap();
    b.comes_to(&token("t1", 1), Verdict::Revoked).await;
    // In place, while they follow.
    redis.command(&["FLUSHALL"]);
    a.shared.revoke_credential(I, "t2", until).await.unwrap();
    b.comes_to(&token("t2", 1), Verdict::Revoked).await;
    // And with a clock that is behind, as another machine's may be: ids begin anew.
    // Its memory goes before it ends: a node that is back first would read the old ids again.
    redis.command(&["FLUSHALL"]);
    redis.kill();
    redis.restart().await;
    let millis = until.as_millis().to_string();
    let entry = [
        "v",
        "1",
        "kind",
        "credential",
        "issuer",
        I,
        "id",
        "t3",
        "at",
        "1",
    ];
    let head = ["XADD", "bartizan:revocations", "5-1"];
    redis.command(&[&head[..], &entry, &["until", &millis]].concat());
    for node in [&a, &b] {
        node.comes_to(&token("t3", 1), Verdict::Revoked).await;
        assert_eq!(node.judge(&token("t1", 1)), Verdict::Revoked);
        assert_eq!(node.judge(&token("t2", 1)), Verdict::Revoked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_room_for_what_others_revoked_is_out_of_touch() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let clock = FakeClock::at(Revocations::new().now());
    let list = Revocations::with_clock(101, clock.clone());
    let until = list.now() + HOUR;
    for i in 0..101 {
        list.revoke_credential("local", &format!("t{i}"), until)
            .unwrap();
    }
    let other = Node::join(&redis).await;
    other
        .shared
        .revoke_credential(I, "t1", until)
        .await
        .unwrap();
    let policy = OutOfTouch::Refuse(SECOND);
    let node = Node::of(&redis, list, policy, |b| b.max_entries(1));
    assert!(soon(|| node.told("revocations_full") > 0).await);
    assert_eq!(node.judge(&token("t1", 1)), Verdict::Unknown);
    let revoking = node.shared.revoke_credential(I, "t2", until);
    let error = revoking.await.unwrap_err();
    assert!(!error.holds_here() && error.is_shared(), "{error}");
    other.comes_to(&token("t2", 1), Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_kind_and_a_wrong_password_are_told_and_believed_to_be_nothing() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    redis.command(&["SET", "bartizan:revocations", "x"]);
    let node = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    assert!(soon(|| node.told("revocations_not_followed") == 1).await);
    assert_eq!(node.judge(&token("t1", 1)), Verdict::Unknown);
    let revoking = node.shared.revoke_credential(I, "t2", node.in_an_hour());
    assert!(!revoking.await.unwrap_err().is_shared());
    redis.command(&["DEL", "bartizan:revocations"]);
    node.comes_to(&token("t1", 1), Verdict::Good).await;

    let url = redis.url().replace("redis://", "redis://:s3cret@");
    let stranger = Redis::builder(&url).build().unwrap();
    let error = stranger.run(&redis_command("PING")).await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_feeds_any_more_believes_nobody() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    let good = token("t1", 1);
    node.comes_to(&good, Verdict::Good).await;
    let Node { list, shared, .. } = node;
    drop(shared);
    assert!(soon(|| list.judge(&good) == Err(Distrust::OutOfTouch)).await);
}

fn redis_command(name: &str) -> bartizan_redis::Cmd {
    let mut command = bartizan_redis::Cmd::new();
    command.arg(name);
    command
}

//! What one node revokes, at the others.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_revokes_is_refused_at_another_and_at_its_own() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let (a, b) = (Node::join(&redis).await, Node::join(&redis).await);
    let until = a.in_an_hour();
    let ann = token("t1", 1);
    assert_eq!(b.judge(&ann), Verdict::Good);
    a.shared.revoke_credential(I, "t1", until).await.unwrap();
    assert_eq!(a.judge(&ann), Verdict::Revoked);
    b.comes_to(&ann, Verdict::Revoked).await;

    let (a, b) = (Node::join(&redis).await, Node::join(&redis).await);
    let other = token("t2", 1);
    assert_eq!(b.judge(&other), Verdict::Good);
    b.shared.revoke_session(I, "s1", until).await.unwrap();
    a.comes_to(&other, Verdict::Revoked).await;
    let elsewhere = Principal::user("https://b.example", "ann").credential_id("t1");
    assert_eq!(a.judge(&elsewhere.build("jwt")), Verdict::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_later_knows_and_moves_no_subjects_cut() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let a = Node::join(&redis).await;
    let now = a.list.now().as_secs();
    a.shared
        .revoke_subject(I, "ann", a.in_an_hour())
        .await
        .unwrap();
    let (before, after) = (token("t1", now - 1), token("t2", now + 2));
    // Later than the token that is good was issued.
    tokio::time::sleep(3 * SECOND).await;
    for _ in 0..2 {
        let restarted = Node::join(&redis).await;
        assert!(restarted.list.now().as_secs() > now + 2);
        for node in [&a, &restarted] {
            assert_eq!(node.judge(&before), Verdict::Revoked);
            assert_eq!(node.judge(&after), Verdict::Good);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_entries_than_are_read_at_a_time_are_all_known_once_loaded() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let until = (Revocations::new().now() + HOUR).as_millis();
    let script = "for i = 1, 2500 do redis.call('XADD', KEYS[1], '*', 'v', '1', 'kind', \
                  'credential', 'issuer', ARGV[1], 'id', 't' .. i, 'at', '1', 'until', ARGV[2]) end";
    let until = until.to_string();
    redis.command(&["EVAL", script, "1", "bartizan:revocations", I, &until]);
    let node = Node::join(&redis).await;
    assert_eq!(node.list.len(), 2500);
    for id in ["t1", "t1000", "t1001", "t2500"] {
        assert_eq!(node.judge(&token(id, 1)), Verdict::Revoked, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_read_is_skipped_with_an_event_and_an_expired_one_takes_no_room() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let key = "bartizan:revocations";
    let until = (Revocations::new().now() + HOUR).as_millis().to_string();
    let add = |fields: &[&str]| {
        redis.command(&[&["XADD", key, "*"], fields].concat());
    };
    let good = ["v", "1", "kind", "credential", "issuer", I, "at", "1"];
    add(&["nothing", "of", "ours", ""]);
    add(&[&good[..], &["id", "t0", "until", "soon"]].concat());
    add(&[&good[..], &["id", "t1", "until", "1"]].concat());
    // A field whose bytes are no text.
    redis.command(&[
        "EVAL",
        "redis.call('XADD', KEYS[1], '*', '\\255', '\\254')",
        "1",
        key,
    ]);
    add(&[&good[..], &["id", "t2", "until", &until]].concat());
    let node = Node::join(&redis).await;
    assert_eq!(node.told("revocations_skipped"), 1);
    assert_eq!(node.list.len(), 1);
    assert_eq!(node.judge(&token("t2", 1)), Verdict::Revoked);
    assert_eq!(node.judge(&token("t0", 1)), Verdict::Good);
    // Also one that comes while the node follows.
    add(&["v", "2"]);
    add(&[&good[..], &["id", "t3", "until", &until]].concat());
    node.comes_to(&token("t3", 1), Verdict::Revoked).await;
    assert_eq!(node.told("revocations_skipped"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_bounded_in_entries_and_in_age_and_a_full_one_says_so() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::KeepGoing(2 * SECOND), |b| {
        b.max_entries(50)
    });
    for i in 0..400 {
        let id = format!("t{i}");
        let until = node.in_an_hour();
        node.shared.revoke_credential(I, &id, until).await.unwrap();
    }
    let length: usize = redis
        .command(&["XLEN", "bartizan:revocations"])
        .parse()
        .unwrap();
    assert!((50..=150).contains(&length), "{length}");
    assert_eq!(node.told("revocation_log_full"), 351);

    let node = Node::with(&redis, OutOfTouch::KeepGoing(2 * SECOND), |b| {
        b.stream("old").max_age(60 * SECOND)
    });
    let now = node.list.now().as_millis();
    let script = "for i = 1, 300 do redis.call('XADD', KEYS[1], ARGV[1] .. '-' .. i, 'v', '1') end";
    let long_ago = (now - 2 * 3_600_000).to_string();
    redis.command(&["EVAL", script, "1", "old", &long_ago]);
    let until = node.list.now() + 30 * SECOND;
    node.shared.revoke_credential(I, "t1", until).await.unwrap();
    let length: usize = redis.command(&["XLEN", "old"]).parse().unwrap();
    assert!(length <= 101, "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_a_requests_way_asks_redis() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let node = Node::with(&redis, OutOfTouch::Refuse(60 * SECOND), |b| b);
    node.shared.loaded(10 * SECOND).await.unwrap();
    node.shared
        .revoke_credential(I, "t1", node.in_an_hour())
        .await
        .unwrap();
    // The read that ended with that entry is followed by one that waits.
    tokio::time::sleep(SECOND).await;
    redis.command(&["CONFIG", "RESETSTAT"]);
    let (good, bad) = (token("t2", 1), token("t1", 1));
    for _ in 0..10_000 {
        assert_eq!(node.judge(&good), Verdict::Good);
        assert_eq!(node.judge(&bad), Verdict::Revoked);
    }
    let stats = redis.command(&["INFO", "commandstats"]);
    let commands = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"));
    let mut others =
        commands.filter(|line| !line.starts_with("config") && !line.starts_with("info"));
    // At most the one that waited came to its end.
    let reads = others.next().unwrap_or("xread:calls=0,");
    assert!(
        reads.starts_with("xread:calls=0,") || reads.starts_with("xread:calls=1,"),
        "{stats}"
    );
    assert_eq!(others.next(), None, "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_different_streams_do_not_hear_of_each_other() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let policy = OutOfTouch::KeepGoing(2 * SECOND);
    let a = Node::with(&redis, policy, |b| b.stream("a"));
    let b = Node::with(&redis, policy, |b| b.stream("b"));
    let until = a.in_an_hour();
    a.shared.revoke_credential(I, "t1", until).await.unwrap();
    b.shared.revoke_credential(I, "t2", until).await.unwrap();
    for node in [&a, &b] {
        node.shared.loaded(10 * SECOND).await.unwrap();
        tokio::time::sleep(SECOND).await;
        assert_eq!(node.list.len(), 1);
    }
}

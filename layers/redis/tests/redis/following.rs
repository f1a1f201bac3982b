//! What a node makes of a stream that can't be followed, or holds what it does not know.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Stands before a Redis, and closes whatever connection asks to block.
async fn without_blocking(redis: &RedisServer) -> String {
    let server = redis.url().replace("redis://", "").replace('/', "");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                let (mut ask, mut answer) = ([0; 4096], [0; 4096]);
                loop {
                    tokio::select! {
                        count = client.read(&mut ask) => {
                            let asked = &ask[..count.unwrap()];
                            let blocks = asked.windows(5).any(|word| word == b"BLOCK");
                            if asked.is_empty() || blocks {
                                return;
                            }
                            server.write_all(asked).await.unwrap();
                        }
                        count = server.read(&mut answer) => {
                            client.write_all(&answer[..count.unwrap()]).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_can_be_read_and_not_followed_makes_no_storm() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let connection = Redis::builder(&without_blocking(&redis).await);
    let connection = connection.build().unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let policy = OutOfTouch::KeepGoing(60 * SECOND);
    let shared = SharedRevocations::builder(connection, Revocations::new(), policy)
        .events(Events::to(move |event: &Event| {
            sink.lock().unwrap().push(event.kind);
        }))
        .start()
        .unwrap();
    shared.loaded(10 * SECOND).await.unwrap();
    redis.command(&["CONFIG", "RESETSTAT"]);
    tokio::time::sleep(5 * SECOND).await;
    let told = |kind: &str| {
        let events = events.lock().unwrap();
        events.iter().filter(|event| **event == kind).count()
    };
    assert_eq!(told("revocations_loaded"), 1);
    assert_eq!(told("revocations_not_followed"), 1);
    let stats = redis.command(&["INFO", "stats"]);
    let connections = stats.lines();
    let connections =
        connections.filter_map(|l| l.trim().strip_prefix("total_connections_received:"));
    // Two of them are those that ask here.
    let made: usize = connections.map(|n| n.parse::<usize>().unwrap()).sum();
    assert!(made <= 12, "{made} connections in 5 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_a_newer_form_leave_a_node_that_refuses_out_of_touch_until_they_are_gone() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let key = "bartizan:revocations";
    let node = Node::with(&redis, OutOfTouch::Refuse(SECOND), |b| b);
    let other = Node::join(&redis).await;
    let good = token("t1", 1);
    node.comes_to(&good, Verdict::Good).await;
    // What is none of ours changes nothing.
    redis.command(&["XADD", key, "*", "v", "", "kind", "x"]);
    assert!(soon(|| node.told("revocations_skipped") == 1).await);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(node.judge(&good), Verdict::Good);
    assert_eq!(node.told("revocations_newer"), 0);

    for newer in [
        &["v", "2", "who", "ann"][..],
        &[
            "v", "1", "kind", "client", "issuer", I, "id", "c", "at", "1", "until", "1",
        ],
    ] {
        let told = node.told("revocations_newer");
        let id = redis.command(&[&["XADD", key, "*"], newer].concat());
        node.comes_to(&good, Verdict::Unknown).await;
        assert!(node.told("revocations_newer") > told);
        assert_eq!(other.judge(&good), Verdict::Good);
        assert!(soon(|| other.told("revocations_newer") > 0).await);
        // What it does know it goes on to learn.
        let until = other.in_an_hour();
        other
            .shared
            .revoke_credential(I, "t2", until)
            .await
            .unwrap();
        node.comes_to(&token("t2", 1), Verdict::Revoked).await;
        redis.command(&["XDEL", key, &id]);
        redis.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        node.comes_to(&good, Verdict::Good).await;
    }
}

//! Connections that were refused, and that died in silence.

use std::sync::atomic::{AtomicUsize, Ordering};

use bartizan_redis::{Cmd, RedisFaultKind};
use tokio::{
    io::copy,
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::*;

fn ping() -> Cmd {
    let mut command = Cmd::new();
    command.arg("PING");
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_refused_once_opens_the_connection_when_it_is_right() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let url = redis.url().replace("redis://", "redis://:pw@");
    let connection = Redis::builder(&url).build().unwrap();
    for _ in 0..3 {
        let fault = connection.run(&ping()).await.unwrap_err();
        assert_eq!(fault.kind(), RedisFaultKind::Refused);
    }
    redis.command(&["CONFIG", "SET", "requirepass", "pw"]);
    // One that was made after the first refusal may be remembered for a moment.
    tokio::time::sleep(SECOND / 5).await;
    let _ = connection.run(&ping()).await;
    connection.run(&ping()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_not_kept_for_the_next_call() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let url = redis.url().replace("redis://", "redis://:pw@");
    let connection = Redis::builder(&url).build().unwrap();
    connection.run(&ping()).await.unwrap_err();
    redis.command(&["CONFIG", "SET", "requirepass", "pw"]);
    connection.run(&ping()).await.unwrap();
}

/// Stands before a Redis; told to, it forwards nothing any more of the connections that it has, and closes
/// none of them. Later ones it serves.
struct Proxy {
    url: String,
    accepted: Arc<AtomicUsize>,
    stop: watch::Sender<()>,
}

impl Proxy {
    async fn before(redis: &RedisServer) -> Self {
        let server = redis.url().replace("redis://", "").replace('/', "");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", listener.local_addr().unwrap());
        let (stop, _) = watch::channel(());
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, stopping) = (Arc::clone(&accepted), stop.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let mut stopped = stopping.subscribe();
                let mut server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    let (mut answers, mut commands) = server.split();
                    tokio::select! {
                        _ = copy(&mut from, &mut commands) => return,
                        _ = copy(&mut answers, &mut to) => return,
                        _ = stopped.changed() => {}
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        Self {
            url,
            accepted,
            stop,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_in_silence_is_given_up_when_an_answer_is_late() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let proxy = Proxy::before(&redis).await;
    let connection = Redis::builder(&proxy.url);
    let connection = connection.response_timeout(SECOND / 5).build().unwrap();
    connection.run(&ping()).await.unwrap();
    proxy.stop.send(()).unwrap();
    let fault = connection.run(&ping()).await.unwrap_err();
    assert_eq!(fault.kind(), RedisFaultKind::TimedOut);
    connection.run(&ping()).await.unwrap();
    assert_eq!(proxy.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_shared_though_the_connection_died_in_silence() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let proxy = Proxy::before(&redis).await;
    let other = Node::join(&redis).await;
    let connection = Redis::builder(&proxy.url);
    let connection = connection.response_timeout(SECOND / 5).build().unwrap();
    let policy = OutOfTouch::KeepGoing(2 * SECOND);
    let shared = SharedRevocations::builder(connection, Revocations::new(), policy);
    let shared = shared.start().unwrap();
    let until = other.in_an_hour();
    shared.revoke_credential(I, "t1", until).await.unwrap();
    proxy.stop.send(()).unwrap();
    shared.revoke_credential(I, "t2", until).await.unwrap();
    other.comes_to(&token("t2", 1), Verdict::Revoked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_are_refused_make_no_storm_of_connections() {
    let Some(redis) = RedisServer::start().await else {
        return;
    };
    let proxy = Proxy::before(&redis).await;
    let connection = Redis::builder(&proxy.url).build().unwrap();
    let mut unknown = Cmd::new();
    unknown.arg("BOGUS");
    let begun = Instant::now();
    for _ in 0..200 {
        connection.run(&unknown).await.unwrap_err();
    }
    let most = 2 + begun.elapsed().as_millis() / 100;
    let made = proxy.accepted.load(Ordering::SeqCst);
    assert!(made as u128 <= most, "{made} connections, not {most}");
}

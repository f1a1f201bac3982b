//! A Redis that answers in its protocol, and not what was asked.

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Answers `EVAL` and `MGET` as told, and whatever else a client greets with by `OK`.
async fn liar(answer: &'static str) -> RedisOwners {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(lie(stream, answer));
        }
    });
    let redis = Redis::builder(&url)
        .connect_timeout(Duration::from_millis(2000))
        .response_timeout(Duration::from_millis(2000));
    RedisOwners::new(redis.build().unwrap())
}

async fn lie(stream: TcpStream, answer: &'static str) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let command = command(&mut stream).await?;
        let is_asked = matches!(&*command, b"EVAL" | b"MGET");
        let said = if is_asked { answer } else { "+OK\r\n" };
        stream.write_all(said.as_bytes()).await.ok()?;
    }
}

/// The name of the next command.
async fn command(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut name = None;
    for _ in 0..number(stream).await? {
        let mut argument = vec![0; number(stream).await? + 2];
        stream.read_exact(&mut argument).await.ok()?;
        argument.truncate(argument.len() - 2);
        name.get_or_insert(argument);
    }
    name
}

/// `*3` or `$4`.
async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim().get(1..)?.parse().ok()
}

/// Whether a claim is kept, by each answer.
const CLAIMS: [(&str, Result<(), Unclaimed>); 17] = [
    ("*2\r\n:2\r\n:0\r\n", Ok(())),
    ("*2\r\n:0\r\n:0\r\n", Err(Unclaimed::Taken)),
    ("*2\r\n:1\r\n:-9\r\n", Err(Unclaimed::Share(Duration::ZERO))),
    ("*2\r\n:3\r\n:0\r\n", Err(Unclaimed::Down)),
    ("*2\r\n:-1\r\n:0\r\n", Err(Unclaimed::Down)),
    ("*2\r\n$1\r\n2\r\n:0\r\n", Err(Unclaimed::Down)),
    ("*2\r\n:2\r\n$-1\r\n", Err(Unclaimed::Down)),
    ("*1\r\n:2\r\n", Err(Unclaimed::Down)),
    ("*3\r\n:2\r\n:0\r\n:0\r\n", Err(Unclaimed::Down)),
    ("*1\r\n*2\r\n:2\r\n:0\r\n", Err(Unclaimed::Down)),
    ("*0\r\n", Err(Unclaimed::Down)),
    ("*-1\r\n", Err(Unclaimed::Down)),
    (":2\r\n", Err(Unclaimed::Down)),
    ("+OK\r\n", Err(Unclaimed::Down)),
    ("$2\r\n20\r\n", Err(Unclaimed::Down)),
    ("$-1\r\n", Err(Unclaimed::Down)),
    ("-ERR as told\r\n", Err(Unclaimed::Down)),
];

#[tokio::test]
async fn ac_16_a_claim_that_is_answered_by_something_else_is_not_kept() {
    for (answer, expected) in CLAIMS {
        let owners = liar(answer).await;
        let claimed = claim(&owners, "t", "ann", HOUR).await;
        assert_eq!(claimed, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn se_6_tasks_are_nobodys_where_something_else_is_said_of_their_owners() {
    // Two tasks are asked about; whatever their keys hold here is no owner.
    for (answer, expected) in [
        ("*2\r\n$3\r\nann\r\n$0\r\n\r\n", Ok(vec![false, false])),
        ("*2\r\n:1\r\n:2\r\n", Ok(vec![false, false])),
        ("*2\r\n+OK\r\n$-1\r\n", Ok(vec![false, false])),
        ("*2\r\n*1\r\n:1\r\n*0\r\n", Ok(vec![false, false])),
        ("*1\r\n$-1\r\n", Err(Unclaimed::Down)),
        ("*3\r\n$-1\r\n$-1\r\n$-1\r\n", Err(Unclaimed::Down)),
        ("*0\r\n", Err(Unclaimed::Down)),
        ("*-1\r\n", Err(Unclaimed::Down)),
        ("$2\r\nok\r\n", Err(Unclaimed::Down)),
        (":1\r\n", Err(Unclaimed::Down)),
        ("-WRONGTYPE as told\r\n", Err(Unclaimed::Down)),
    ] {
        let owners = liar(answer).await;
        let tasks = vec![TaskKey::of("t"), TaskKey::of("u")];
        let said = said(owners.owned(tasks, owner("ann"))).await;
        assert_eq!(said, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn se_6_behind_the_layer_nobody_passes_by_a_wrong_value() {
    for (answer, of_call, of_get) in [
        ("*1\r\n:1\r\n", DenialKind::Unavailable, None),
        (
            "*2\r\n:9\r\n:9\r\n",
            DenialKind::Unavailable,
            Some(DenialKind::Unavailable),
        ),
        (
            "+OK\r\n",
            DenialKind::Unavailable,
            Some(DenialKind::Unavailable),
        ),
    ] {
        let layer = TaskOwnerLayer::new(liar(answer).await);
        assert_eq!(ask(&layer, "ann", call()).await, Err(of_call), "{answer:?}");
        // An owner that is none is nobody: the task is unknown.
        let expected = of_get.unwrap_or(DenialKind::TaskUnknown);
        assert_eq!(ask(&layer, "ann", get()).await, Err(expected), "{answer:?}");
    }
}

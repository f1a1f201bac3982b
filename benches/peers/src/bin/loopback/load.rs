//! The process that asks: 16 connections, each with one request under way.

use std::{
    io::stdin,
    time::{Duration, Instant},
};

use bartizan_peers::common::{requests::Requests, tokens::bearer};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, runtime, task::JoinSet};

use crate::serve::Reachable;

const CONNECTIONS: usize = 16;

/// What the client saw.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Seconds that the client itself had a processor for.
    pub(crate) used: f64,
}

/// Asks for so many seconds; where, is on standard input. Says what it saw on standard output.
///
/// # Panics
///
/// If any answer is not 200.
pub(crate) fn load(seconds: u64) {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    let server: Reachable = serde_json::from_str(&line).unwrap();
    let requests = Requests::call(300).with_token(bearer(&server.token));

    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut micros: Vec<u32> = runtime.block_on(async {
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            connections.spawn(connection(server.address, requests.clone(), until));
        }
        connections.join_all().await.into_iter().flatten().collect()
    });
    let seconds = begun.elapsed().as_secs_f64();

    micros.sort_unstable();
    let quantile = |at: f64| {
        let index = (micros.len() - 1) as f64 * at;
        f64::from(micros[index.round() as usize]) / 1000.0
    };
    let load = Load {
        requests: micros.len() as u64,
        seconds,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        used: Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))
            .unwrap()
            .as_secs_f64(),
    };
    println!("{}", serde_json::json!(load));
}

/// Latencies in microseconds.
async fn connection(
    server: std::net::SocketAddr,
    mut requests: Requests,
    until: Instant,
) -> Vec<u32> {
    let stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut latencies = Vec::with_capacity(1 << 16);
    loop {
        let begun = Instant::now();
        if begun >= until {
            return latencies;
        }
        let answer = sender.send_request(requests.one()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        assert!(!body.is_empty());
        latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

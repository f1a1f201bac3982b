//! Nothing that the stack logs holds a token.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use bartizan_kit::{Revision, call_tool};
use http_body_util::BodyExt;
use serde_json::json;
use tracing::Level;

use crate::server::{Mode, Server};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The subscriber is the process's, for what tasks on other threads log counts as well.
#[tokio::test]
async fn tv_21_no_token_text_is_in_any_log_line() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    // Whatever ran before may have been cached as nobody's interest.
    tracing::callsite::rebuild_interest_cache();

    let server = Server::start(Mode::Json).await;
    let good = server.token("ann").encode();
    let expired = server.token("ann").expires_in(-3600).encode();
    let spoiled = server.token("ann").encode_spoiled();
    let mut statuses = Vec::new();
    for (token, query) in [
        (&good, false),
        (&expired, false),
        (&spoiled, false),
        (&good, true),
    ] {
        let request = call_tool(Revision::V2025_11_25, "whoami", json!({})).no_header("host");
        let (url, request) = if query {
            (format!("{}?access_token={token}", server.url), request)
        } else {
            (server.url.clone(), request.bearer(token))
        };
        let (parts, body) = request.build().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        // A bare connection: a client library would log the request in the same process.
        statuses.push(raw_post(&url, &parts.headers, &body).await);
    }
    assert_eq!(statuses, [200, 401, 401, 401]);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("refused"), "the log is captured at all");
    for token in [&good, &expired, &spoiled] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!log.contains(signature), "a signature is in the log");
        assert!(!log.contains(&token[..40]), "a token is in the log");
    }
}

async fn raw_post(url: &str, headers: &http::HeaderMap, body: &[u8]) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let mut head = format!("POST /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

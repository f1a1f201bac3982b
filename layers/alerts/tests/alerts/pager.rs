//! A receiver of webhooks that behaves as told, on a real socket.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use bartizan_alerts::{Webhook, WebhookBuilder, WebhookSecret, WebhookVerifier};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// What it does with one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    /// Answers so, with further fields.
    Answer(u16, &'static str),
    /// Reads the head, and goes.
    DiesWhileItReads,
    /// Promises a body, and goes in the middle of it.
    DiesWhileItAnswers(u16),
    /// Reads everything, and says nothing.
    Hangs,
}

pub(crate) struct Pager {
    pub(crate) url: String,
    got: mpsc::Receiver<Got>,
    script: Arc<Mutex<(Vec<Does>, Does)>>,
}

/// One request as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Pager {
    /// Does these, one for each connection, and then the last one.
    pub(crate) fn that(script: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/s3cret", listener.local_addr().unwrap());
        let (tell, got) = mpsc::channel();
        let (last, first) = script.split_last().unwrap();
        let script = Arc::new(Mutex::new((first.to_vec(), *last)));
        let told = Arc::clone(&script);
        thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming() {
                let does = {
                    let mut script = told.lock().unwrap();
                    let (first, last) = &mut *script;
                    if first.is_empty() {
                        *last
                    } else {
                        first.remove(0)
                    }
                };
                let mut stream = stream.unwrap();
                if matches!(does, Does::DiesWhileItReads) {
                    let _ = stream.read(&mut [0; 16]);
                    continue;
                }
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                if tell.send(request).is_err() {
                    return;
                }
                let _ = match does {
                    Does::Answer(status, fields) => {
                        let head = format!(
                            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n{fields}\r\n"
                        );
                        stream.write_all(head.as_bytes())
                    }
                    Does::DiesWhileItAnswers(status) => {
                        let head =
                            format!("HTTP/1.1 {status} X\r\ncontent-length: 1000\r\n\r\nhalf");
                        stream.write_all(head.as_bytes())
                    }
                    Does::Hangs | Does::DiesWhileItReads => {
                        hung.push(stream);
                        Ok(())
                    }
                };
            }
        });
        Self { url, got, script }
    }

    pub(crate) fn now(&self, does: Does) {
        *self.script.lock().unwrap() = (Vec::new(), does);
    }

    pub(crate) fn next(&self) -> Got {
        self.got
            .recv_timeout(Duration::from_secs(10))
            .expect("a request")
    }

    pub(crate) fn has_more(&self) -> bool {
        self.got.recv_timeout(Duration::from_millis(200)).is_ok()
    }

    /// A webhook to it, that does not wait for long.
    pub(crate) fn webhook(&self) -> WebhookBuilder {
        Webhook::to(&self.url, secret(1))
            .danger_allow_http()
            .danger_allow_this_machine()
            .timeout(Duration::from_millis(500))
            .pauses(Duration::from_millis(1), Duration::from_millis(10))
    }
}

pub(crate) fn secret(of: u8) -> WebhookSecret {
    WebhookSecret::from_bytes(vec![of; 32]).unwrap()
}

impl Got {
    /// Its alert, if the secret signed it.
    pub(crate) fn verified(&self, by: u8) -> Option<Value> {
        let verifier = WebhookVerifier::new(secret(by)).unwrap();
        verifier.verify(&self.headers, &self.body).ok()?;
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }
}

fn read(stream: &mut TcpStream) -> Option<Got> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => body.extend_from_slice(&piece[..read]),
        }
    }
    Some(Got {
        line,
        headers,
        body,
    })
}

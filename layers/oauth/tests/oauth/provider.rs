//! A provider on loopback that answers as it is told, and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Body, extract::Request as Incoming, serve::ListenerExt as _};
use http::{HeaderMap, Method, Uri};
use http_body_util::BodyExt as _;
use tokio::{net::TcpListener, task::JoinHandle};

use super::*;

/// What a provider was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// What it answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) after: Duration,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self {
            status: 200,
            headers: vec![("content-type", "application/json".into())],
            body: body.to_string(),
            after: Duration::ZERO,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::json(&json!({ "message": "as told" }))
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn after(mut self, pause: Duration) -> Self {
        self.after = pause;
        self
    }
}

type Script = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

pub(crate) struct Provider {
    address: SocketAddr,
    shared: Shared,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared {
    script: Arc<Mutex<Script>>,
    log: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    keeps_alive: bool,
}

impl Provider {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        // A connection that outlives its server would not notice that it was killed.
        Self::with(script, false).await
    }

    /// One that leaves connections open.
    pub(crate) async fn keeping_alive(
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::with(script, true).await
    }

    async fn with(
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
        keeps_alive: bool,
    ) -> Self {
        let script: Script = Arc::new(script);
        let shared = Shared {
            script: Arc::new(Mutex::new(script)),
            log: Arc::default(),
            connections: Arc::default(),
            keeps_alive,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve(listener, shared.clone());
        Self {
            address,
            shared,
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url_of(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers otherwise from now on.
    pub(crate) fn behave(&self, script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.log.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.shared.log.lock().unwrap().len()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Nothing listens any more.
    pub(crate) async fn kill(&mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    /// Listens again, where it did.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = serve(listener, self.shared.clone());
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn serve(listener: TcpListener, shared: Shared) -> JoinHandle<()> {
    let connections = Arc::clone(&shared.connections);
    let listener = listener.tap_io(move |_| {
        connections.fetch_add(1, Ordering::SeqCst);
    });
    let app = Router::new().fallback(move |request: Incoming| {
        let shared = shared.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let asked = Asked {
                method: parts.method,
                uri: parts.uri,
                headers: parts.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            };
            shared.log.lock().unwrap().push(asked.clone());
            let script = Arc::clone(&shared.script.lock().unwrap());
            let answer = script(&asked);
            tokio::time::sleep(answer.after).await;
            let mut response = Response::builder().status(answer.status);
            for (name, value) in answer.headers {
                response = response.header(name, value);
            }
            if !shared.keeps_alive {
                response = response.header("connection", "close");
            }
            response.body(Body::from(answer.body)).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() })
}

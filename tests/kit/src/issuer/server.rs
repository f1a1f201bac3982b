use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, channel::Channel, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Map, Value};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Behaviour, TokenMint};

/// What an [`Issuer`](crate::Issuer) serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "tests match on it")]
pub enum Endpoint {
    /// RFC 8414: `/.well-known/oauth-authorization-server`, in front of the issuer's path.
    OauthMetadata,
    /// OpenID Connect in the manner of RFC 8414: `/.well-known/openid-configuration`, in front of
    /// the issuer's path. For an issuer without a path, the next one.
    OpenidInserted,
    /// OpenID Connect Discovery: the issuer, then `/.well-known/openid-configuration`.
    OpenidMetadata,
    /// The key set that both documents name: the issuer, then `/jwks`.
    Jwks,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::OauthMetadata,
        Self::OpenidInserted,
        Self::OpenidMetadata,
        Self::Jwks,
    ];
}

/// What the server's tasks share with its handle.
#[derive(Debug)]
pub(super) struct State {
    origin: String,
    path: String,
    mint: TokenMint,
    pub(super) behaviours: Mutex<HashMap<Endpoint, Behaviour>>,
    pub(super) metadata: Mutex<Map<String, Value>>,
    pub(super) jwks: Mutex<Option<String>>,
    pub(super) log: Mutex<Vec<String>>,
    pub(super) connections: AtomicUsize,
}

impl State {
    pub(super) fn new(origin: String, path: &str, mint: TokenMint, metadata: Value) -> Self {
        let metadata = match metadata {
            Value::Object(members) => members,
            other => panic!("metadata is an object, not {other}"),
        };
        Self {
            origin,
            path: path.to_owned(),
            mint,
            behaviours: Mutex::default(),
            metadata: Mutex::new(metadata),
            jwks: Mutex::default(),
            log: Mutex::default(),
            connections: AtomicUsize::new(0),
        }
    }

    pub(super) fn url_of(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.origin, self.path_of(endpoint))
    }

    pub(super) fn path_of(&self, endpoint: Endpoint) -> String {
        let path = &self.path;
        match endpoint {
            Endpoint::OauthMetadata => format!("/.well-known/oauth-authorization-server{path}"),
            Endpoint::OpenidInserted => format!("/.well-known/openid-configuration{path}"),
            Endpoint::OpenidMetadata => format!("{path}/.well-known/openid-configuration"),
            Endpoint::Jwks => format!("{path}/jwks"),
        }
    }

    /// The last match, so that an issuer without a path has one OpenID endpoint.
    fn endpoint_at(&self, path: &str) -> Option<Endpoint> {
        let mut all = Endpoint::ALL.into_iter().rev();
        all.find(|endpoint| self.path_of(*endpoint) == path)
    }

    fn behaviour(&self, endpoint: Endpoint) -> Behaviour {
        let mut behaviours = lock(&self.behaviours);
        let Some(behaviour) = behaviours.get_mut(&endpoint) else {
            return Behaviour::good();
        };
        match &mut behaviour.times {
            None => behaviour.clone(),
            Some(0) => Behaviour::good(),
            Some(left) => {
                *left -= 1;
                behaviour.clone()
            }
        }
    }

    fn document(&self, endpoint: Endpoint) -> String {
        match endpoint {
            Endpoint::Jwks => {
                let published = lock(&self.jwks).clone();
                published.unwrap_or_else(|| self.mint.jwks().to_string())
            }
            _ => Value::Object(lock(&self.metadata).clone()).to_string(),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
        let target = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let line = format!("{} {target}", request.method());
        lock(&self.log).push(line);
        let Some(endpoint) = self.endpoint_at(request.uri().path()) else {
            return status(StatusCode::NOT_FOUND);
        };
        if request.method() != http::Method::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let behaviour = self.behaviour(endpoint);
        if !behaviour.delay.is_zero() {
            tokio::time::sleep(behaviour.delay).await;
        }
        // After the delay, as a server that reads its keys when it answers.
        let document = self.document(endpoint).into_bytes();
        let mut body = vec![b' '; behaviour.padding];
        body.extend(behaviour.body.as_ref().unwrap_or(&document));
        let mut response = Response::new(if behaviour.hide_length {
            let (bytes, pause) = behaviour.drip.unwrap_or((64 * 1024, Duration::ZERO));
            drip(body, bytes, pause)
        } else {
            Full::from(body).boxed()
        });
        *response.status_mut() = behaviour.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.extend(behaviour.headers);
        response
    }
}

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, which closes the connections.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        state.connections.fetch_add(1, Ordering::SeqCst);
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(state.answer(request).await) }
            });
            // A client that hangs up is its own business.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn drip(body: Vec<u8>, bytes: usize, pause: Duration) -> BoxBody<Bytes, Infallible> {
    let (mut sender, channel) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(async move {
        let mut rest = Bytes::from(body);
        while !rest.is_empty() {
            let next = rest.split_to(bytes.min(rest.len()));
            if sender.send_data(next).await.is_err() {
                return;
            }
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    });
    channel.boxed()
}

fn status(status: StatusCode) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = status;
    response
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

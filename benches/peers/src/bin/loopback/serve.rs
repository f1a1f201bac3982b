//! The process that is measured.

use std::{
    io::{Read, stdin},
    net::{Ipv4Addr, SocketAddr},
};

use axum::Router;
use bartizan_kit::Algorithm;
use bartizan_peers::{
    common::{ours::Setup, tokens::Tokens},
    lines,
    stacks::Who,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, runtime};

use crate::echo::Echo;

/// What stands before rmcp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Bare,
    Ours,
    Peer,
}

/// What a client needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reachable {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Server {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Ours, Self::Peer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "ours",
            Self::Peer => "peer",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|server| server.name() == name);
        found.ok_or_else(|| format!("no server `{name}`"))
    }
}

/// Serves until its standard input ends, after one line that says where.
pub(crate) fn serve(server: Server) {
    let tokens = Tokens::new();
    let token = tokens.good(Algorithm::Rs256).encode();
    let setup = Setup::new(&tokens.jwks());
    let mcp = rmcp();
    let (app, _writing) = match server {
        Server::Bare => (mcp, None),
        Server::Ours => (Who::Ours.full(&setup, mcp), None),
        Server::Peer => (Who::Peer.full(&setup, mcp), Some(lines::write())),
    };

    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let address = listener.local_addr().unwrap();
    println!("{}", serde_json::json!(Reachable { address, token }));
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    runtime.spawn(async move { axum::serve(listener, app).await });
    let _ = stdin().read(&mut [0]);
}

/// Stateless, and answering with JSON.
fn rmcp() -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let echo = Echo::new();
    let service = StreamableHttpService::new(
        move || Ok(echo.clone()),
        LocalSessionManager::default().into(),
        config,
    );
    Router::new().nest_service("/mcp", service)
}

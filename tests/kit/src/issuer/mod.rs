use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Behaviour, TokenMint};

mod server;
#[cfg(test)]
mod tests;

pub use server::Endpoint;
use server::{State, lock, serve};

/// A real authorization server on 127.0.0.1, as far as a resource server ever sees one: two
/// metadata documents and a key set, over HTTP.
///
/// It counts what it is asked, misbehaves on demand, and can go away and come back on its port.
/// It lives on the runtime that started it and stops when dropped.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    mint: TokenMint,
    state: Arc<State>,
    server: Option<JoinHandle<()>>,
}

impl Issuer {
    /// An issuer without a path, `http://127.0.0.1:<port>`, whose tokens are for
    /// `https://mcp.example.com/mcp`.
    pub async fn start() -> Self {
        Self::start_at("").await
    }

    /// An issuer whose identifier ends in a path, such as `/tenant-1`.
    pub async fn start_at(path: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = format!("http://{address}");
        let issuer = format!("{origin}{path}");
        let mint = TokenMint::new(issuer.clone(), "https://mcp.example.com/mcp");
        let metadata = json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/jwks"),
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        });
        let state = Arc::new(State::new(origin, path, mint.clone(), metadata));
        let server = tokio::spawn(serve(listener, state.clone()));
        Self {
            address,
            mint,
            state,
            server: Some(server),
        }
    }

    /// The issuer identifier.
    pub fn url(&self) -> &str {
        self.mint.issuer()
    }

    /// Where an endpoint is.
    pub fn url_of(&self, endpoint: Endpoint) -> String {
        self.state.url_of(endpoint)
    }

    /// The port it listens on, also while it is stopped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The mint whose keys it publishes; a clone shares them.
    pub fn mint(&self) -> &TokenMint {
        &self.mint
    }

    /// Replaces all keys by new ones.
    pub fn rotate_keys(&self) {
        self.mint.rotate();
    }

    /// Misbehaves at an endpoint from now on.
    pub fn behave(&self, endpoint: Endpoint, behaviour: Behaviour) {
        lock(&self.state.behaviours).insert(endpoint, behaviour);
    }

    /// Misbehaves at every endpoint from now on.
    pub fn behave_everywhere(&self, behaviour: &Behaviour) {
        for endpoint in Endpoint::ALL {
            self.behave(endpoint, behaviour.clone());
        }
    }

    /// Answers properly again, everywhere; the metadata and key set stay overridden.
    pub fn behave_well(&self) {
        lock(&self.state.behaviours).clear();
    }

    /// Overrides a member of both metadata documents: `issuer`, `jwks_uri`.
    pub fn set_metadata(&self, member: &str, value: impl Into<Value>) {
        lock(&self.state.metadata).insert(member.to_owned(), value.into());
    }

    /// Drops a member from both metadata documents.
    pub fn remove_metadata(&self, member: &str) {
        lock(&self.state.metadata).remove(member);
    }

    /// Publishes this text (a [`Jwks`](crate::Jwks), say) instead of the mint's keys.
    pub fn publish(&self, jwks: &impl ToString) {
        *lock(&self.state.jwks) = Some(jwks.to_string());
    }

    /// Publishes the mint's keys again.
    pub fn publish_mint(&self) {
        *lock(&self.state.jwks) = None;
    }

    /// How often an endpoint was asked.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        let path = self.state.path_of(endpoint);
        let line = format!("GET {path}");
        lock(&self.state.log).iter().filter(|l| **l == line).count()
    }

    /// Everything it was asked, as `METHOD path?query`, in order.
    pub fn log(&self) -> Vec<String> {
        lock(&self.state.log).clone()
    }

    /// How many connections it accepted.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Goes away: closes the port and every connection.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            // The only error is the abort itself.
            let _ = server.await;
        }
    }

    /// Comes back on the same port.
    pub async fn restart(&mut self) {
        self.stop().await;
        let mut tries = 0;
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) if tries < 50 => tries += 1,
                Err(error) => panic!("cannot listen on {} again: {error}", self.address),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.server = Some(tokio::spawn(serve(listener, self.state.clone())));
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

use std::{net::SocketAddr, sync::Arc};

use http::Extensions;
use tower_layer::Layer;

use crate::{
    ForwardedHeader, Network, NetworkConfigError, hosts::Hosts, peer::PeerSource, proxies::Proxies,
};

/// Finds the client's real address, stamps how the request travelled, and admits only listed
/// hosts.
///
/// The layer is its own builder; the [crate's documentation](crate) has an example and the order
/// of its decisions. It starts strict: only loopback hosts, no trusted proxy, plain HTTP.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct NetworkLayer {
    settings: Arc<Settings>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) hosts: Hosts,
    pub(crate) proxies: Proxies,
    pub(crate) peer: PeerSource,
    pub(crate) tls_terminated_here: bool,
}

impl NetworkLayer {
    /// A layer for a local server: hosts `localhost`, `127.0.0.1` and `[::1]` at any port (OH-4).
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits a host: `mcp.example.com`, `192.0.2.1`, `[2001:db8::1]`, each perhaps with `:port`,
    /// or `*.example.com` (OH-3).
    ///
    /// The first entry replaces the loopback default. An entry without a port admits every port,
    /// one with a port that port only; clients omit the default port of their scheme, so
    /// `example.com:443` admits hardly anybody. A wildcard stands for exactly one label, as in a
    /// certificate. Case is ignored.
    ///
    /// # Errors
    ///
    /// If the entry is anything else (a URL, user information, a trailing dot, an IPv6 address
    /// without brackets, a wildcard over a top-level domain), or if any host is allowed already.
    pub fn allow_host(self, host: &str) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.hosts.allow(host))
    }

    /// Admits every well-formed host, for servers whose proxy checks it.
    ///
    /// Without that proxy, a web page can reach the server by DNS rebinding. Hosts that are
    /// missing, repeated, contradictory or malformed are still refused.
    ///
    /// # Errors
    ///
    /// If a host was listed.
    pub fn danger_allow_any_host(self) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.hosts.danger_allow_any())
    }

    /// Believes what a proxy says about whom it was called by: an address, or a network such as
    /// `10.0.0.0/8` (RL-9, TV-18).
    ///
    /// Everything in the network can choose the address it is counted under, so name the proxies
    /// and not the whole data centre. Where clients are trusted hops themselves, the left-most
    /// one is the client.
    ///
    /// # Errors
    ///
    /// If it is neither, has bits beyond its prefix (`10.0.0.1/8`), or is everybody (`0.0.0.0/0`).
    pub fn trust_proxy(self, network: &str) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.proxies.trust(network))
    }

    /// Which header the trusted proxies write; by default `X-Forwarded-For`.
    ///
    /// # Errors
    ///
    /// If no proxy is trusted yet: name them first.
    pub fn forwarded_header(self, header: ForwardedHeader) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.proxies.written_in(header))
    }

    /// Takes the peer's address from the request's extensions by a function of one's own, and
    /// from nowhere else.
    ///
    /// By default it is [`PeerAddr`](crate::PeerAddr), then (feature `axum`) axum's
    /// `ConnectInfo<SocketAddr>`. The function must read what the server itself found out, never
    /// what a header says.
    pub fn peer_from(self, find: fn(&Extensions) -> Option<SocketAddr>) -> Self {
        self.with(|settings| settings.peer = PeerSource::Custom(find))
    }

    /// Says that this server's own connections are TLS: whatever no trusted proxy brought came
    /// over TLS.
    ///
    /// A server that listens in both ways takes one layer for each listener.
    pub fn tls_terminated_here(self) -> Self {
        self.with(|settings| settings.tls_terminated_here = true)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    fn try_with(
        mut self,
        change: impl FnOnce(&mut Settings) -> Result<(), NetworkConfigError>,
    ) -> Result<Self, NetworkConfigError> {
        change(Arc::make_mut(&mut self.settings))?;
        Ok(self)
    }
}

impl<S> Layer<S> for NetworkLayer {
    type Service = Network<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Network::new(inner, Arc::clone(&self.settings))
    }
}

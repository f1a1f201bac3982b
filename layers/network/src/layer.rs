use std::{net::SocketAddr, sync::Arc};

use http::Extensions;
use tower_layer::Layer;

use crate::{
    ForwardedHeader, Network, NetworkConfigError, addresses::Addresses,
    correlation::CorrelationHeader, hosts::Hosts, peer::PeerSource, proxies::Proxies, tls::Plain,
};

/// Finds the client's real address, stamps how the request travelled, and admits only listed
/// hosts; listed addresses and TLS only, if told so.
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
    pub(crate) addresses: Addresses,
    pub(crate) plain: Plain,
    pub(crate) proxies: Proxies,
    pub(crate) peer: PeerSource,
    pub(crate) tls_terminated_here: bool,
    pub(crate) correlation: Option<CorrelationHeader>,
    pub(crate) client_cert: bool,
}

const NO_PROXY: &str = "has no effect without a trusted proxy";

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

    /// Takes the request's correlation id from this header, if the peer is a trusted proxy:
    /// `x-request-id`.
    ///
    /// One line of 1 to 128 characters of `A-Z a-z 0-9 - _ . : / + =`. Anything else is ignored
    /// with a finding, and so is an id that comes after an outer layer made one. The proxy must
    /// replace what its client sent, or the client chooses the id.
    ///
    /// # Errors
    ///
    /// If it is not the name of a header, or of one that holds a secret (`authorization`,
    /// `cookie` …), or if no proxy is trusted yet: name them first.
    pub fn correlation_id_header(self, name: &str) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| {
            let header = CorrelationHeader::new(name)?;
            if settings.proxies.is_empty() {
                let (setting, problem) = ("correlation_id_header", NO_PROXY);
                return Err(NetworkConfigError::new("setting", setting, problem));
            }
            settings.correlation = Some(header);
            Ok(())
        })
    }

    /// Takes the client's certificate from the field `Client-Cert` (RFC 9440), if the peer is a trusted
    /// proxy: as [`ClientCertificate`](bartizan_core::ClientCertificate) among the request's extensions.
    ///
    /// The proxy must have verified it, and must replace what its client sent under that name, or the
    /// client chooses its certificate. It must also say that its client came over TLS, by
    /// `X-Forwarded-Proto: https` or `proto=https`, or the certificate is not believed. The field and `Client-Cert-Chain` are removed from every request,
    /// whoever sent them; one that is no certificate, or came from elsewhere, leaves a finding.
    ///
    /// # Errors
    ///
    /// If no proxy is trusted yet: name them first.
    pub fn client_cert_header(self) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| {
            if settings.proxies.is_empty() {
                let (setting, problem) = ("client_cert_header", NO_PROXY);
                return Err(NetworkConfigError::new("setting", setting, problem));
            }
            settings.client_cert = true;
            Ok(())
        })
    }

    /// Admits clients of this address or network, such as `10.0.0.0/8`, and no others.
    ///
    /// Call it for each. What counts is the client behind the trusted proxies; one whose address
    /// is not known for sure is refused.
    ///
    /// # Errors
    ///
    /// If it is neither, has bits beyond its prefix (`10.0.0.1/8`), is everybody (`0.0.0.0/0`),
    /// or lies in a denied network.
    pub fn allow_network(self, network: &str) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.addresses.allow(network))
    }

    /// Refuses clients of this address or network, allowed or not. With a list of either kind,
    /// a client whose address is not known for sure is refused.
    ///
    /// Lists are walked for each request: they are for a few networks, not for thousands.
    ///
    /// # Errors
    ///
    /// If it is neither, has bits beyond its prefix, is everybody, or covers an allowed network.
    pub fn deny_network(self, network: &str) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.addresses.deny(network))
    }

    /// Refuses what did not come over TLS, with 403 and never with a redirect (TV-18, AC-14).
    ///
    /// # Errors
    ///
    /// If nothing could come over TLS: say [`tls_terminated_here`](Self::tls_terminated_here), or
    /// name the proxies that terminate it, first.
    pub fn require_tls(self) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| {
            if settings.proxies.is_empty() && !settings.tls_terminated_here {
                let problem = "refuses everything without a trusted proxy or tls_terminated_here";
                return Err(NetworkConfigError::new("setting", "require_tls", problem));
            }
            settings.plain.refuse();
            Ok(())
        })
    }

    /// Admits plain requests whose peer is this machine, although TLS is required: for health
    /// checks and tools beside the server.
    ///
    /// A proxy on this machine that is not trusted is such a peer too, and with it everybody who
    /// reaches it. So a request that says it was forwarded is not excepted, but a proxy need not
    /// say so: use it only where no proxy runs beside the server, or each is trusted.
    ///
    /// # Errors
    ///
    /// If TLS is not required yet.
    pub fn danger_allow_plain_loopback(self) -> Result<Self, NetworkConfigError> {
        self.try_with(|settings| settings.plain.except_loopback())
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

//! TLS that asks clients for a certificate, and tells each request which one its connection has.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use bartizan::{ClientCertificate, network::PeerAddr};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::{ServiceExt, service_fn};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What a client may hold without showing that it is one.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// How long the handshake may take.
    pub(crate) handshake: Duration,
    /// How long the head of a request may take, and a connection be idle before it.
    pub(crate) request_head: Duration,
    /// How many connections are held; others wait in the system's queue. Each takes a file descriptor, so
    /// it has to be less than the process may open.
    pub(crate) connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(30),
            connections: 512,
        }
    }
}

/// Serves for good: nothing that a client does ends it.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    app: Router,
    limits: Limits,
) -> Infallible {
    let acceptor = TlsAcceptor::from(config);
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        // It is never closed, so there is a place in the end.
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                sleep(pause_after(&error)).await;
                continue;
            }
        };
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            let _place = place;
            // Its end concerns this client alone.
            let _ = connection(acceptor, stream, PeerAddr(peer), app, limits).await;
        });
    }
}

/// A client that went away while it was queued is no reason to wait. Whatever else may last, as when the
/// process has no file descriptor left, and would keep a processor busy.
pub(crate) fn pause_after(error: &io::Error) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset => Duration::ZERO,
        _ => Duration::from_millis(500),
    }
}

async fn connection(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: PeerAddr,
    app: Router,
    limits: Limits,
) -> Result<(), AnyError> {
    let stream = timeout(limits.handshake, acceptor.accept(stream)).await??;
    // rustls has verified the chain; its first is the client's own.
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.map(|der| ClientCertificate::from_der(der.as_ref()));
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        app.clone().oneshot(request.map(axum::body::Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new()) // without which no limit of time holds
        .header_read_timeout(limits.request_head)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await?;
    Ok(())
}

/// An authority that is made anew at each start. Yours has been there before, and keeps its key.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) pem: String,
}

/// A certificate with its key, both as PEM.
pub(crate) struct Credential {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, AnyError> {
        let mut params = named("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    /// A client's, with this URI for its name.
    pub(crate) fn client(&self, uri: &str) -> Result<Credential, AnyError> {
        let mut params = named("a client");
        params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Credential {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// TLS for 127.0.0.1 that takes clients of this authority, and those without a certificate, whom
    /// the layers then refuse with an answer. Certificates of others end the handshake.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, AnyError> {
        let mut params = named("a server");
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        // By name, so that no provider has to be installed for the process.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        Ok(Arc::new(config))
    }
}

/// OpenSSL takes a certificate that is called like its authority for one that signed itself.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

//! The field `Client-Cert` (RFC 9440), and whose certificate a connection's is.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of these tests are tests too"
)]

use std::{convert::Infallible, net::SocketAddr};

use bartizan_core::{ClientCertificate, SecurityContext};
use bartizan_network::{ForwardedHeader, NetworkLayer, PeerAddr};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "192.0.2.7";

/// What the inner service sees: the certificate, and whether fields are left.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    certificate: Option<Vec<u8>>,
    has_field: bool,
    findings: Vec<&'static str>,
}

async fn seen(layer: NetworkLayer, request: Request<()>) -> Seen {
    let inner = service_fn(|request: Request<()>| async move {
        let certificate = request.extensions().get::<ClientCertificate>();
        let context = SecurityContext::find(request.extensions()).unwrap();
        let findings = context.trail().unwrap().findings();
        let is_ours = |kind: &&str| kind.starts_with("client_cert");
        let seen = Seen {
            certificate: certificate.map(|certificate| certificate.der().to_vec()),
            has_field: request.headers().contains_key("client-cert")
                || request.headers().contains_key("client-cert-chain"),
            findings: findings.iter().map(|f| f.kind).filter(is_ours).collect(),
        };
        let mut response = Response::new(());
        response.extensions_mut().insert(std::sync::Arc::new(seen));
        Ok::<_, Infallible>(response)
    });
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    let seen = response.extensions().get::<std::sync::Arc<Seen>>().unwrap();
    std::sync::Arc::try_unwrap(seen.clone()).unwrap_or_else(|seen| Seen {
        certificate: seen.certificate.clone(),
        has_field: seen.has_field,
        findings: seen.findings.clone(),
    })
}

fn from(peer: &str, lines: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::post("/mcp").header("host", "localhost");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).unwrap();
    let peer = SocketAddr::new(peer.parse().unwrap(), 40_000);
    request.extensions_mut().insert(PeerAddr(peer));
    SecurityContext::of(&mut request).open_trail();
    request
}

fn layer() -> NetworkLayer {
    let layer = NetworkLayer::new().trust_proxy(PROXY).unwrap();
    layer.client_cert_header().unwrap()
}

const CERT: (&str, &str) = ("client-cert", ":MAA=:");
const CHAIN: (&str, &str) = ("client-cert-chain", ":MAA=:");
const FOR: (&str, &str) = ("x-forwarded-for", "203.0.113.9");
const TLS: (&str, &str) = ("x-forwarded-proto", "https");
const PLAIN: (&str, &str) = ("x-forwarded-proto", "http");

#[tokio::test]
async fn dp_5_a_trusted_proxys_field_is_the_clients_certificate_and_does_not_travel_on() {
    assert_eq!(
        seen(layer(), from(PROXY, &[CERT, CHAIN, FOR, TLS])).await,
        Seen {
            certificate: Some(vec![0x30, 0]),
            has_field: false,
            findings: vec![],
        }
    );
}

#[tokio::test]
async fn dp_5_anybody_elses_field_is_nobodys_certificate() {
    for (request, why) in [
        (from(STRANGER, &[CERT, TLS]), "from a stranger"),
        (
            from(PROXY, &[("client-cert", "x"), FOR, TLS]),
            "no certificate",
        ),
        (from(PROXY, &[CERT, CERT, FOR, TLS]), "two of them"),
        (
            from(PROXY, &[CERT, ("x-forwarded-for", "not an address"), TLS]),
            "by a way that is in doubt",
        ),
        (from(PROXY, &[CERT, FOR, PLAIN]), "over a plain hop"),
        (from(PROXY, &[CERT, FOR]), "over a hop of no known kind"),
        (
            from(PROXY, &[CERT, FOR, TLS, PLAIN]),
            "over a hop of two kinds",
        ),
    ] {
        let expected = Seen {
            certificate: None,
            has_field: false,
            findings: vec!["client_cert_ignored"],
        };
        assert_eq!(seen(layer(), request).await, expected, "{why}");
    }
    let nowhere = Request::post("/mcp").header("host", "localhost");
    let mut nowhere = nowhere.header(CERT.0, CERT.1).body(()).unwrap();
    SecurityContext::of(&mut nowhere).open_trail();
    assert_eq!(seen(layer(), nowhere).await.certificate, None);
}

#[tokio::test]
async fn dp_5_a_certificate_of_a_hop_that_was_not_tls_by_forwarded_is_not_the_clients() {
    for (hops, is_believed) in [
        ("for=203.0.113.9;proto=https", true),
        ("for=203.0.113.9;proto=http", false),
        ("for=203.0.113.9", false),
        // The client's own hop counts, and not that between two proxies.
        (
            "for=203.0.113.9;proto=http, for=10.0.0.1;proto=https",
            false,
        ),
    ] {
        let layer = layer()
            .forwarded_header(ForwardedHeader::Forwarded)
            .unwrap();
        let seen = seen(layer, from(PROXY, &[CERT, ("forwarded", hops)])).await;
        assert_eq!(seen.certificate.is_some(), is_believed, "{hops}");
        assert!(!seen.has_field);
    }
}

#[tokio::test]
async fn the_certificate_of_a_proxys_connection_is_not_the_clients() {
    let with_own = |peer, lines: &[(&str, &str)]| {
        let mut request = from(peer, lines);
        let own = ClientCertificate::from_der(&b"the connection's"[..]);
        request.extensions_mut().insert(own);
        request
    };
    let plain = || NetworkLayer::new().trust_proxy(PROXY).unwrap();
    for layer in [plain(), layer()] {
        let behind = seen(layer.clone(), with_own(PROXY, &[FOR])).await;
        assert_eq!(behind.certificate, None);
        let direct = seen(layer, with_own(STRANGER, &[])).await;
        assert_eq!(direct.certificate.unwrap(), b"the connection's");
    }
    let both = seen(layer(), with_own(PROXY, &[CERT, FOR, TLS])).await;
    assert_eq!(both.certificate.unwrap(), [0x30, 0]);
}

#[test]
fn without_a_trusted_proxy_nobody_could_set_the_field() {
    let error = NetworkLayer::new().client_cert_header().unwrap_err();
    assert!(error.to_string().contains("client_cert_header"), "{error}");
}

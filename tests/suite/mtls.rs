//! Client certificates over real TLS, through the acceptor of the example.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::Form,
    routing::{get, post},
};
use bartizan::{
    AuthLayer, Caller, JwtLayer, JwtVerifier, NetworkLayer, OpaqueVerifier,
    jwt::JwtVerifierBuilder,
    network::{CertificateName, MtlsVerifier},
    oauth::{ClientAuth, Introspection, OpaqueVerifierBuilder},
};
use bartizan_kit::TokenMint;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    time::timeout,
};

#[path = "../../examples/mtls_server/tls.rs"]
pub(crate) mod tls;

use tls::{Authority, Credential, Limits};

pub(crate) const BILLING: &str = "spiffe://example.org/billing";

async fn serve(authority: &Authority, auth: AuthLayer) -> String {
    serve_within(authority, auth, Limits::default()).await
}

async fn serve_within(authority: &Authority, auth: AuthLayer, limits: Limits) -> String {
    let app = Router::new()
        .route("/", get(async |caller: Caller| caller.subject().to_owned()))
        .layer(auth)
        .layer(NetworkLayer::new().tls_terminated_here());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let config = authority.server().unwrap();
    tokio::spawn(tls::serve(listener, config, app, limits));
    url
}

fn client(authority: &Authority, own: Option<&Credential>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let mut client = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
    if let Some(own) = own {
        let pem = format!("{}{}", own.certificate, own.key);
        client = client.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
    }
    client.build().unwrap()
}

async fn status(client: &reqwest::Client, url: &str) -> u16 {
    client.get(url).send().await.unwrap().status().as_u16()
}

pub(crate) fn programs() -> MtlsVerifier {
    MtlsVerifier::new("https://pki.example.org", CertificateName::Uri)
        .and_then(|programs| programs.identity(BILLING, ["service"]))
        .unwrap()
}

#[tokio::test]
async fn a_program_is_known_by_the_certificate_that_its_handshake_proved() {
    let authority = Authority::new().unwrap();
    let url = serve(&authority, AuthLayer::new(programs())).await;
    let billing = authority.client(BILLING).unwrap();
    let answer = client(&authority, Some(&billing)).get(&url).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), BILLING);
    let reports = authority.client("spiffe://example.org/reports").unwrap();
    assert_eq!(status(&client(&authority, Some(&reports)), &url).await, 401);
    assert_eq!(status(&client(&authority, None), &url).await, 401);
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_the_handshake() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let url = serve(&authority, AuthLayer::new(programs())).await;
    let forged = other.client(BILLING).unwrap();
    let answer = client(&authority, Some(&forged)).get(&url).send().await;
    assert!(answer.is_err());
}

pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

pub(crate) fn tokens(
    mint: &TokenMint,
    change: impl FnOnce(JwtVerifierBuilder) -> JwtVerifierBuilder,
) -> JwtVerifier {
    let builder = JwtVerifier::builder()
        .issuer(ISSUER)
        .audience(RESOURCE)
        .jwk_set(mint.jwks().to_string());
    change(builder).build().unwrap()
}

pub(crate) fn der(own: &Credential) -> rustls::pki_types::CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(own.certificate.as_bytes()).unwrap()
}

/// A token of Ann's that is bound to this certificate.
fn bound_to(mint: &TokenMint, own: &Credential) -> String {
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(der(own)));
    let token = mint.token().claim("cnf", json!({ "x5t#S256": thumbprint }));
    token.encode()
}

#[tokio::test]
async fn dp_5_a_stolen_token_is_worth_nothing_without_its_certificate() {
    let authority = Authority::new().unwrap();
    let mint = TokenMint::new(ISSUER, RESOURCE);
    let url = serve(&authority, JwtLayer::new(tokens(&mint, |b| b)).into()).await;
    let (own, thief) = (
        authority.client(BILLING).unwrap(),
        authority.client("spiffe://example.org/thief").unwrap(),
    );
    let token = bound_to(&mint, &own);
    for (credential, expected) in [(Some(&own), 200), (Some(&thief), 401), (None, 401)] {
        let request = client(&authority, credential).get(&url).bearer_auth(&token);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected);
    }
}

/// Asks a provider of opaque tokens that knows one, `opaque`, of Olga's.
pub(crate) async fn opaque_tokens(
    change: impl FnOnce(OpaqueVerifierBuilder) -> OpaqueVerifierBuilder,
) -> OpaqueVerifier {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let knows = |form: Form<std::collections::HashMap<String, String>>| async move {
        Json(match form["token"].as_str() {
            "opaque" => json!({ "active": true, "sub": "olga", "aud": RESOURCE }),
            _ => json!({ "active": false }),
        })
    };
    let provider = Router::new().route("/introspect", post(knows));
    tokio::spawn(axum::serve(listener, provider).into_future());
    let auth = ClientAuth::basic("secret".to_owned());
    let endpoint = format!("{issuer}/introspect");
    let server = Introspection::new(&issuer, endpoint, "mcp", auth).audience(RESOURCE);
    let verifier = OpaqueVerifier::builder(server).leave_others();
    change(verifier).build().unwrap()
}

#[tokio::test]
async fn certificates_jwts_and_opaque_tokens_are_judged_at_one_endpoint_each_by_its_own() {
    let authority = Authority::new().unwrap();
    let mint = TokenMint::new(ISSUER, RESOURCE);
    let auth = AuthLayer::new(opaque_tokens(|b| b).await)
        .or(tokens(&mint, |b| b))
        .or(programs());
    let url = serve(&authority, auth).await;
    let billing = authority.client(BILLING).unwrap();
    let thief = authority.client("spiffe://example.org/thief").unwrap();
    let (ann, bound) = (mint.token().encode(), bound_to(&mint, &billing));
    let expired = mint.token().expires_in(-300).encode();
    // With Billing's certificate, with one that is nobody's here, and without.
    for (token, expected) in [
        (None, [BILLING, "401", "401"]),
        (Some(&*ann), ["ann", "ann", "ann"]),
        (Some(&bound), ["ann", "401", "401"]),
        (Some("opaque"), ["olga", "olga", "olga"]),
        (Some("unknown"), ["401", "401", "401"]),
        (Some(&expired), ["401", "401", "401"]),
    ] {
        for (own, expected) in [Some(&billing), Some(&thief), None]
            .into_iter()
            .zip(expected)
        {
            let mut request = client(&authority, own).get(&url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.unwrap();
            let caller = match answer.status().as_u16() {
                200 => answer.text().await.unwrap(),
                status => status.to_string(),
            };
            assert_eq!(caller, expected, "{token:?}");
        }
    }
}

/// What the server leaves of a connection that says nothing more: how long until it is closed.
async fn closes(mut connection: impl tokio::io::AsyncRead + Unpin) -> bool {
    let mut rest = Vec::new();
    let end = timeout(Duration::from_secs(20), connection.read_to_end(&mut rest));
    end.await.is_ok()
}

#[tokio::test]
async fn a_client_that_says_nothing_is_disconnected_and_holds_no_place_of_others() {
    let authority = Authority::new().unwrap();
    let limits = Limits {
        handshake: Duration::from_millis(300),
        request_head: Duration::from_millis(300),
        connections: 1,
    };
    let url = serve_within(&authority, AuthLayer::new(programs()), limits).await;
    let address = url.trim_start_matches("https://").trim_end_matches('/');
    // Before its handshake.
    let silent = TcpStream::connect(address).await.unwrap();
    assert!(closes(silent).await);
    // After it.
    let mut roots = rustls::RootCertStore::empty();
    let root: rustls::pki_types::CertificateDer<'_> =
        rustls::pki_types::pem::PemObject::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let silent = connector.connect("127.0.0.1".try_into().unwrap(), stream);
    assert!(closes(silent.await.unwrap()).await);
    // The only place is free again, while another holds it only so long.
    let _waiting = TcpStream::connect(address).await.unwrap();
    let billing = authority.client(BILLING).unwrap();
    assert_eq!(status(&client(&authority, Some(&billing)), &url).await, 200);
}

#[test]
fn nothing_that_accepting_may_fail_at_ends_the_server_or_keeps_a_processor_busy() {
    use std::io::{Error, ErrorKind};
    for errno in [23, 24, 105, 12] {
        let pause = tls::pause_after(&Error::from_raw_os_error(errno));
        assert!(pause >= Duration::from_millis(100), "{errno}");
    }
    let aborted = Error::from(ErrorKind::ConnectionAborted);
    assert_eq!(tls::pause_after(&aborted), Duration::ZERO);
}
